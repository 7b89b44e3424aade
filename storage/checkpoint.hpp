// Checkpoints: named arrays of floats and a few words about them, one file each. Format:
// formats.md.
//
// Guarantees: a file of a checkpoint's name is whole and durable: it is written under another
// name, synced, and renamed. What disk damage breaks later is found by its checksum, and skipped.
// The path has the attempt of the gang in it, so a writer of an older attempt never touches a newer
// one's files.
// Threads: plain functions; they block, so not for a scheduler thread. One writer per attempt.
// Limits: 4096 bytes a name or meta text, 8 dimensions, 100,000 tensors; sizes as the disk allows.
// Errors: errc::io (the disk is full, a permission), errc::corrupt, errc::not_found,
// errc::invalid (a bad name or shape; nothing was written), errc::refused (a newer attempt is
// there).
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::storage {

// What is written: it refers to the caller's memory.
struct tensor_view {
  std::string name;
  std::vector<uint64_t> shape; // extents; their product is the number of values
  std::span<const float> values;
};

struct tensor {
  std::string name;
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

struct checkpoint_info {
  std::string path;
  uint64_t attempt = 0;
  uint64_t step = 0;

  friend bool operator==(const checkpoint_info&, const checkpoint_info&) = default;
};

struct checkpoint {
  uint64_t attempt = 0;
  uint64_t step = 0;
  std::map<std::string, std::string> meta;
  std::vector<tensor> tensors;
};

// Writes a checkpoint below the directory and makes what is missing of its path. A checkpoint of
// the same attempt and step is replaced.
result<checkpoint_info> write_checkpoint(const std::string& directory, uint64_t attempt,
                                         uint64_t step, std::span<const tensor_view> tensors,
                                         const std::map<std::string, std::string>& meta);

result<checkpoint> read_checkpoint(const std::string& path);

// The checkpoint of the highest attempt that has one, and of its highest step, that is whole;
// damaged ones are skipped with a warning. Empty where there is none, or no directory.
result<std::optional<checkpoint_info>> newest_checkpoint(const std::string& directory);

// Removes all but the newest `keep` (at least 1) whole checkpoints, and what killed writers left.
result<void> prune_checkpoints(const std::string& directory, size_t keep);

} // namespace troupe::storage
