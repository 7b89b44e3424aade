#include "actors/cluster/usage_count.hpp"

#include "storage/record.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace troupe {
namespace {

constexpr char by_user = 'u';
constexpr char by_queue = 'q';
constexpr int64_t hours_max = 24 * 366; // of one task; what is over counts in the last

// 'v' by be64(hour) name
std::string prefix_of(char by) {
  return std::string{'v'} + by;
}

std::string usage_key(char by, const std::string& name, int64_t hour) {
  return prefix_of(by) + storage::big_endian(static_cast<uint64_t>(hour)) + name;
}

std::string encode(const std::string& key, const usage_row_msg& x) {
  storage::field_writer out;
  out.number(x.jobs);
  out.number(x.tasks);
  for (auto value : {x.task_s, x.cpu_s, x.memory_byte_s, x.accelerator_s})
    out.number(std::bit_cast<uint64_t>(value));
  return storage::seal(key, out.take());
}

result<usage_row_msg> read_row(std::string_view key, std::string_view value) {
  auto payload = storage::unseal(key, value);
  if (!payload)
    return payload.error();
  storage::field_reader in{*payload};
  usage_row_msg out;
  out.jobs = in.number();
  out.tasks = in.number();
  for (auto* each : {&out.task_s, &out.cpu_s, &out.memory_byte_s, &out.accelerator_s})
    *each = std::bit_cast<double>(in.number());
  if (!in.whole())
    return {errc::corrupt, "a record of the usage is cut short; restore the store from a copy"};
  return out;
}

void add(const usage_row_msg& from, usage_row_msg& to) {
  to.jobs += from.jobs;
  to.tasks += from.tasks;
  to.task_s += from.task_s;
  to.cpu_s += from.cpu_s;
  to.memory_byte_s += from.memory_byte_s;
  to.accelerator_s += from.accelerator_s;
}

} // namespace

std::string encode(const std::string& key, const held_resources& x) {
  storage::field_writer out;
  for (auto number : {static_cast<uint64_t>(x.since_ns), x.cpus, x.memory, x.accelerators})
    out.number(number);
  out.text(x.user);
  out.text(x.queue);
  return storage::seal(key, out.take());
}

result<held_resources> read_held(std::string_view key, std::string_view value) {
  auto payload = storage::unseal(key, value);
  if (!payload)
    return payload.error();
  storage::field_reader in{*payload};
  held_resources out;
  out.since_ns = static_cast<int64_t>(in.number());
  for (auto* each : {&out.cpus, &out.memory, &out.accelerators})
    *each = in.number();
  out.user = in.text();
  out.queue = in.text();
  if (!in.whole())
    return {errc::corrupt, "what a task holds is cut short; restore the store from a copy"};
  return out;
}

void add_held(const held_resources& x, int64_t since_ns, int64_t until_ns, usage_row_msg& to) {
  auto from = std::max(x.since_ns, since_ns);
  if (until_ns <= from)
    return;
  auto seconds = static_cast<double>(until_ns - from) / 1e9;
  to.task_s += seconds;
  to.cpu_s += seconds * static_cast<double>(x.cpus);
  to.memory_byte_s += seconds * static_cast<double>(x.memory);
  to.accelerator_s += seconds * static_cast<double>(x.accelerators);
}

result<usage_row_msg*> usage_count::row(char by, const std::string& name, int64_t hour) {
  auto key = usage_key(by, name, hour);
  if (auto known = rows_.find(key); known != rows_.end())
    return &known->second;
  auto before = store_.get(key);
  if (!before)
    return before.error();
  usage_row_msg row;
  if (*before) {
    auto read = read_row(key, **before);
    if (!read)
      return read.error();
    row = std::move(*read);
  }
  return &rows_.emplace(key, std::move(row)).first->second;
}

result<void> usage_count::add_job(const std::string& user, const std::string& queue,
                                  int64_t time_ns) {
  for (auto& [by, name] : {std::pair{by_user, user}, std::pair{by_queue, queue}}) {
    auto to = row(by, name, time_ns / hour_ns);
    if (!to)
      return to.error();
    ++(*to)->jobs;
  }
  return {};
}

result<void> usage_count::add_task(const held_resources& x, int64_t until_ns) {
  auto first = x.since_ns / hour_ns;
  auto last = std::clamp(until_ns / hour_ns, first, first + hours_max);
  for (auto& [by, name] : {std::pair{by_user, x.user}, std::pair{by_queue, x.queue}})
    for (auto hour = first; hour <= last; ++hour) {
      auto to = row(by, name, hour);
      if (!to)
        return to.error();
      add_held(x, hour * hour_ns, hour == last ? until_ns : (hour + 1) * hour_ns, **to);
      (*to)->tasks += hour == last ? 1 : 0;
    }
  return {};
}

void usage_count::put(storage::batch& to) const {
  for (auto& [key, row] : rows_)
    to.put(key, encode(key, row));
}

result<void> sum_usage(const storage::store& from, usage_by by, int64_t since_ns,
                       std::map<std::string, usage_row_msg>& rows) {
  auto prefix = prefix_of(by == usage_by::user ? by_user : by_queue);
  auto first = prefix + storage::big_endian(static_cast<uint64_t>(since_ns / hour_ns));
  result<void> all;
  TROUPE_TRY(from.scan(prefix, first, storage::no_limit, [&](auto key, auto value) {
    auto read = read_row(key, value);
    if (read)
      add(*read, rows[std::string{key.substr(first.size())}]);
    else
      all = read.error();
    return static_cast<bool>(all);
  }));
  return all;
}

} // namespace troupe
