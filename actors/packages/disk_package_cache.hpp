// The package cache of a real node:
//
//   DIRECTORY/HASH/tree       a package's content, read-only (storage/unpack.hpp)
//   DIRECTORY/HASH/bytes      how much that is, in decimal
//   DIRECTORY/HASH.package    what travels, on its way or not unpacked yet; HASH.package.part
//
// Guarantees: DIRECTORY/HASH is there when all of it is, and on disk. What had arrived of a package
// when the process died is kept, and the next fetch goes on from there.
// Threads: one thread calls, and any may call stop(); each fetch has one of its own.
#pragma once

#include "actors/packages/package_cache.hpp"
#include "runtime/base/result.hpp"
#include "storage/tree_remover.hpp"
#include "storage/unpack.hpp"

#include <memory>

namespace troupe {

struct disk_package_cache_options {
  std::string directory;
  std::string master_host; // through which the master is reached; empty: it is on this machine
  duration chunk_deadline = std::chrono::seconds(10);
  storage::unpack_limits limits;
};

// errc::io if the directory cannot be made. `remover` outlives the cache.
result<std::unique_ptr<package_cache>> open_package_cache(disk_package_cache_options options,
                                                          storage::tree_remover& remover);

// Where the content of a package is, below such a directory.
std::string package_tree(const std::string& directory, const std::string& hash);

} // namespace troupe
