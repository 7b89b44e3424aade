// How much tasks held, by declaration, in each hour: whole seconds of an hour go to that hour.
// Private to the job history. Threads: plain functions and values.
#pragma once

#include "runtime/protocol/messages.hpp"
#include "storage/store.hpp"

#include <functional>
#include <map>
#include <string>

namespace troupe {

inline constexpr int64_t hour_ns = int64_t{3600} * 1'000'000'000;

// What one task holds from its placement on.
struct held_resources {
  int64_t since_ns = 0;
  uint64_t cpus = 0;
  uint64_t memory = 0;
  uint64_t accelerators = 0;
  std::string user;
  std::string queue;
};

std::string encode(const std::string& key, const held_resources& x);
result<held_resources> read_held(std::string_view key, std::string_view value);

// Sums to be added to the store, by key; two additions of one batch add up.
class usage_count {
public:
  explicit usage_count(const storage::store& from) : store_(from) {}

  result<void> add_job(const std::string& user, const std::string& queue, int64_t time_ns);
  result<void> add_task(const held_resources& x, int64_t until_ns);

  void put(storage::batch& to) const;

private:
  result<usage_row_msg*> row(char by, const std::string& name, int64_t hour);

  const storage::store& store_;
  std::map<std::string, usage_row_msg> rows_; // by key
};

// Adds up the rows of the hours from that of `since_ns` on, by name.
result<void> sum_usage(const storage::store& from, usage_by by, int64_t since_ns,
                       std::map<std::string, usage_row_msg>& rows);

// Adds what a task holds from `since_ns` on until `until_ns`.
void add_held(const held_resources& x, int64_t since_ns, int64_t until_ns, usage_row_msg& to);

} // namespace troupe
