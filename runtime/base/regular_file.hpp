// Files in a directory that somebody else may write to: a link that was put there is not followed,
// and what is no ordinary file with one name is not opened, nor waited for.
#pragma once

#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

namespace troupe {

// As open(2), with `flags` beside those that make it so; invalid, with errno, if it may not be.
inline owned_fd open_regular_file(const std::string& path, int flags, mode_t mode = 0600) {
  owned_fd out{::open(path.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode)};
  struct stat found {};
  if (!out || ::fstat(out.get(), &found) != 0)
    return {};
  if (S_ISREG(found.st_mode) && found.st_nlink == 1)
    return out;
  errno = ELOOP;
  return {};
}

} // namespace troupe
