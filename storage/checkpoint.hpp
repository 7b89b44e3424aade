// Checkpoints: named arrays of floats and a few words about them, in one file, or in shards that
// the ranks of a gang write side by side. Format: formats.md.
//
// Guarantees: a file of a checkpoint's name is whole and durable: it is written under another
// name, synced, and renamed. What disk damage breaks later is found by its checksum, and skipped.
// A checkpoint is complete when all its shards are there; nothing else says so. The path has the
// attempt of the gang in it, so a writer of an older attempt never touches a newer one's files.
// Threads: plain functions; they block, so not for a scheduler thread. One writer per shard.
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
#include <set>
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

// Which part of a checkpoint a file is.
struct checkpoint_shard {
  uint32_t generation = 0; // of the gang, within the attempt
  uint32_t index = 0;
  uint32_t count = 1; // 1: the whole, and of no generation
};

struct checkpoint_info {
  uint64_t attempt = 0;
  uint64_t step = 0;
  uint32_t generation = 0;
  std::vector<std::string> paths{}; // of its files, in the order of the shards

  friend bool operator==(const checkpoint_info&, const checkpoint_info&) = default;
};

struct checkpoint {
  uint64_t attempt = 0;
  uint64_t step = 0;
  std::map<std::string, std::string> meta;
  std::vector<tensor> tensors;
};

// Writes a checkpoint, or a shard of one, below the directory and makes what is missing of its
// path. A file of the same attempt, step and shard is replaced. All shards have the same meta
// texts. What a newer checkpoint made useless, and pruning took away meanwhile, counts as written.
result<checkpoint_info> write_checkpoint(const std::string& directory, uint64_t attempt,
                                         uint64_t step, std::span<const tensor_view> tensors,
                                         const std::map<std::string, std::string>& meta,
                                         const checkpoint_shard& shard = {});

result<checkpoint> read_checkpoint(const std::string& path);

// Of all its files: tensors of one name are joined along their first extent.
result<checkpoint> read_checkpoint(const checkpoint_info& of);

// The checkpoint of the highest attempt that has one, and of its highest step, that is complete and
// whole; damaged ones are skipped with a warning. Empty where there is none, or no directory.
result<std::optional<checkpoint_info>> newest_checkpoint(const std::string& directory);

// Removes all but the newest `keep` (at least 1) whole checkpoints, and what is older than the
// newest of them and incomplete, or was left by killed writers. Reads what it keeps to see that it
// is whole; paths that are in `known` are not read again, and it then has those that were kept.
result<void> prune_checkpoints(const std::string& directory, size_t keep,
                               std::set<std::string>* known = nullptr);

} // namespace troupe::storage
