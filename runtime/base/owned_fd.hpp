// A file descriptor that is closed with its owner.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace troupe {

class owned_fd {
public:
  owned_fd() = default;
  explicit owned_fd(int fd) : fd_(fd) {}
  owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  owned_fd& operator=(owned_fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~owned_fd() { close(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void close() noexcept {
    if (fd_ >= 0)
      ::close(std::exchange(fd_, -1));
  }

private:
  int fd_ = -1;
};

// Becomes readable when the process has ended (Linux 5.3). Invalid, with errno, if there is none.
inline owned_fd pidfd_of(pid_t process) {
  // glibc 2.36 declares pidfd_open for C only.
  return owned_fd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))};
}

} // namespace troupe
