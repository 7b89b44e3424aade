// What was read of each file last time, so that files that did not change are not read again. The
// grammar is in formats.md.
//
// Guarantees: what is found was read from a file with these facts, and the file could not be
// changed since without changing them (git's rule for racy entries: a file that was written shortly
// before it was read, or later, is not trusted). A cache that is damaged or lost is empty.
// Threads: find() from any; the rest from one.
#pragma once

#include "storage/bytes/content_id.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

struct file_facts {
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  uint64_t inode = 0;
  uint64_t device = 0;

  bool operator==(const file_facts&) const = default;
};

struct file_content {
  content_id hash;
  std::vector<chunk_id> chunks; // where they are several
};

class stat_cache {
public:
  stat_cache() = default;
  stat_cache(stat_cache&&) = default;
  stat_cache& operator=(stat_cache&&) = default;

  // Empty where there is no such file.
  static stat_cache load(const std::string& file);

  std::optional<file_content> find(std::string_view path, const file_facts& facts) const;

  bool contains(std::string_view path) const { return at(path) != nullptr; }
  size_t size() const noexcept { return seen_.size(); }

private:
  struct seen {
    std::string_view path; // into bytes_
    std::string_view rest;
  };

  bool read();
  const seen* at(std::string_view path) const;

  std::string bytes_;
  int64_t taken_ns_ = 0;
  std::vector<seen> seen_; // sorted by path
};

// Makes the next one.
class stat_cache_writer {
public:
  // `taken_ns`: nanoseconds since 1970, before the first of the files was read.
  explicit stat_cache_writer(int64_t taken_ns);

  // In the order of the paths.
  void add(std::string_view path, const file_facts& facts, const content_id& hash,
           const std::vector<chunk_id>& chunks);

  // Replaces the file as a whole. It is not synced: what a crash damages is not trusted.
  result<void> save(const std::string& file);

private:
  std::string bytes_;
};

} // namespace troupe::storage
