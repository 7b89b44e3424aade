// Unpacks an archive that came from outside: a tar, plain or by gzip, xz, zstd or bzip2, or a zip.
//
// Guarantees: nothing is written outside of `into`, and nothing that leads there is made: paths
// that are absolute or have a "..", links (symbolic or hard, by themselves or by way of others)
// that leave the tree, entries below a link, devices, pipes and sockets are refused, and so is what
// comes twice. Files are read-only, executable or not; nothing has another mode or another owner.
// `into` is there when all of it is, else not. Errors: errc::invalid with one sentence that names
// the entry, errc::io, errc::aborted.
// Threads: plain functions. They block: not for a scheduler thread.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace troupe::storage {

struct unpack_limits {
  uint64_t entries = 1'000'000;
  uint64_t bytes = uint64_t{1} << 40; // of all files
  uint64_t ratio = 1000;              // bytes of files to bytes of the archive, beyond the first
  uint64_t ratio_free = 256 << 20;    // so many bytes
  size_t path = 1024;                 // bytes; 255 of each of its parts
};

struct unpacked {
  uint64_t entries = 0;
  uint64_t bytes = 0;
};

// Makes `into`, in a directory that nobody else writes to. `go_on` is asked now and then.
result<unpacked> unpack(
  const std::string& archive, const std::string& into, const unpack_limits& limits = {},
  const std::function<bool()>& go_on = [] { return true; });

// Removes a tree whose directories may be read-only; links are not followed. False: some is left.
bool remove_tree(const std::string& path);

} // namespace troupe::storage
