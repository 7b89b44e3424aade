// The values of a TonY configuration, each asked for by its key, and what became of each. The first
// complaint stays; what is read after it does not matter.
#pragma once

#include "actors/jobs/job_file.hpp"
#include "actors/jobs/tony_file.hpp"
#include "actors/jobs/tony_keys.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

std::string lower_case(std::string x);

class tony_values {
public:
  struct entry {
    std::string key;
    std::optional<std::string> value;
    std::string where; // for complaints: the place
    tony_match match;
    bool read = false;
    std::string partly; // why not all of it is honoured
  };

  // Reads the file, applies the overrides, replaces each `${NAME}`, and refuses what cannot be.
  tony_values(std::string_view text, const job_file_options& options);

  const std::optional<error>& failed() const { return failed_; }
  void fail(const std::string& key, const std::string& text);

  const std::vector<entry>& entries() const { return entries_; }
  void partly(const std::string& key, const std::string& why);

  // Null if the key is not set. Marks it as read, as the others do.
  const std::string* text(const std::string& key);
  std::vector<std::string> list(const std::string& key, std::vector<std::string> otherwise);
  bool flag(const std::string& key, bool otherwise);

  // Nothing if the key is not set.
  std::optional<int64_t> number(const std::string& key, int64_t least, int64_t most);

  // Bytes of `2g`, `512m` or `2048`, which are MiB.
  std::optional<uint64_t> size(const std::string& key);

  // ns of a number of milliseconds; 0 and less mean none. Nothing if the key is not set.
  std::optional<uint64_t> milliseconds(const std::string& key);

  // What became of each key; `types`: those that the job has.
  std::vector<tony_key> fates(const std::vector<std::string>& types) const;

private:
  entry* find(const std::string& key);
  void override_with(const std::string& change);
  void expand(const std::map<std::string, std::string>& parameters);
  std::string expanded(const entry& x, const std::map<std::string, std::string>& parameters);
  void check_known(const entry& x);

  std::map<std::string, size_t> places_; // in entries_
  std::vector<entry> entries_;
  std::optional<error> failed_;
};

} // namespace troupe
