// The files that a task used, as its executor, its agent and the log of the master tell of them.
// Threads: plain functions.
#pragma once

#include "runtime/base/limits.hpp"
#include "runtime/protocol/messages.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

using file_use_list = std::vector<std::unique_ptr<file_use_msg>>;

// The paths of files, by who tells of them.
struct task_paths {
  std::vector<std::string> opened;        // by the task, for reading: as the kernel saw it
  std::vector<std::string> read, written; // as the task says
  uint64_t left_out = 0;                  // there were so many more
};

struct task_file_uses {
  file_use_list all;
  uint64_t left_out = 0; // there were so many more
};

// Its room in a message, at least.
inline size_t bytes_of(const file_use_msg& x) {
  return 64 + x.path.size() + x.hash.size();
}

inline size_t bytes_of(const file_use_list& all) {
  size_t out = 0;
  for (auto& each : all)
    out += bytes_of(*each);
  return out;
}

// A copy of the first ones, as many as a report may name.
inline task_file_uses bounded_copy(const file_use_list& from, uint64_t left_out) {
  task_file_uses out;
  size_t bytes = 0;
  for (auto& each : from)
    if (each && out.all.size() < limits::task_files_max
        && (bytes += bytes_of(*each)) <= limits::task_files_bytes_max)
      out.all.push_back(std::make_unique<file_use_msg>(*each));
  out.left_out = left_out + (from.size() - out.all.size());
  return out;
}

} // namespace troupe
