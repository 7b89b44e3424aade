// A file or a directory as one stream of bytes, a tar (GNU), that depends on the content alone: the
// entries are in the order of their names, and have no owners, no times and one of two modes, so
// that the same content has the same SHA-256.
//
// A file is the only entry, "file". A directory has the paths below it. A symbolic link that leads
// out of the directory is replaced by the file that it leads to; one that stays inside is kept.
// Errors: errc::not_found, errc::io; errc::invalid for what is neither file, directory nor link,
// for a link out of the directory to no plain file, and for names that unpack.hpp would not take.
// Threads: plain functions. They block: not for a scheduler thread.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace troupe::storage {

struct packed {
  std::string hash; // SHA-256 of the bytes
  uint64_t size = 0;
};

using byte_sink = std::function<result<void>(std::span<const std::byte>)>;

// Gives all bytes to `into`, in order; an error of `into` is the error.
result<packed> pack(const std::string& path, const byte_sink& into);

} // namespace troupe::storage
