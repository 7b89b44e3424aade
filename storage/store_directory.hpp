// The directory of a store on disk: who has it open, and whether RocksDB may open what is there.
// Threads: a lock has one; the function is a plain one.
#pragma once

#include "storage/log_end.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace troupe::storage {

// A file that we lock ourselves: RocksDB tells a second open from any other failure only by the
// words of its message. The lock goes with the process, however it ends.
class directory_lock {
public:
  directory_lock() = default;
  directory_lock(const directory_lock&) = delete;
  directory_lock& operator=(const directory_lock&) = delete;
  ~directory_lock() {
    if (file_ >= 0)
      ::close(file_);
  }

  // Errors: errc::already_exists (somebody has it), errc::io.
  result<void> take(const std::string& directory) {
    return lock(directory, O_RDWR | O_CREAT, LOCK_EX);
  }

  // Beside others that share it. Makes no file: where there is none, as in a copy, nobody has it.
  result<void> share(const std::string& directory) {
    std::error_code none;
    if (!std::filesystem::exists(path_in(directory), none))
      return {};
    return lock(directory, O_RDONLY, LOCK_SH);
  }

private:
  static std::string path_in(const std::string& directory) { return directory + "/IN_USE"; }

  result<void> lock(const std::string& directory, int access, int how) {
    auto path = path_in(directory);
    file_ = ::open(path.c_str(), access | O_CLOEXEC, 0600);
    if (file_ < 0)
      return {errc::io, "cannot open " + path + ": " + std::strerror(errno)
                          + "; make the directory writable or choose another"};
    if (::flock(file_, how | LOCK_NB) == 0)
      return {};
    if (errno == EWOULDBLOCK)
      return {errc::already_exists, "the store in " + directory
                                      + " is in use by another process; stop it or choose another "
                                        "directory"};
    return {errc::io, "cannot lock " + path + ": " + std::strerror(errno)
                        + "; use a file system that has locks"};
  }

  int file_ = -1;
};

// What RocksDB would open without a word: over files without the name of the newest manifest, as
// an empty store; over a log with a wrong length, without what follows.
// Errors: errc::corrupt, errc::io.
inline result<void> check_store_files(const std::string& directory) {
  namespace fs = std::filesystem;
  auto has_data = false;
  std::error_code failed;
  for (const auto& each : fs::directory_iterator(directory, failed)) {
    auto kind = each.path().extension();
    has_data = has_data || kind == ".log" || kind == ".sst";
    if (kind == ".log" || each.path().filename().string().starts_with("MANIFEST-"))
      TROUPE_TRY(check_log_end(each.path().string()));
  }
  if (failed)
    return {errc::io, "cannot list the directory " + directory + ": " + failed.message()
                        + "; mend the disk or its permissions and start again"};
  if (has_data && !fs::exists(directory + "/CURRENT", failed))
    return {errc::corrupt, "the store in " + directory
                             + " has lost its file CURRENT; restore the directory from a copy, or "
                               "start with a new one"};
  return {};
}

} // namespace troupe::storage
