// The bytes of one bulk connection, with deadlines: plain between processes of one host, under TLS
// between hosts (bulk_tls.hpp).
//
// Threads: one uses a channel; shut_down() of its socket may be called from any thread and ends
// what the channel waits for.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace troupe {

// A connected stream socket, closed at the end.
class bulk_socket {
public:
  explicit bulk_socket(int fd) : fd_(fd) {}
  ~bulk_socket();

  bulk_socket(const bulk_socket&) = delete;
  bulk_socket& operator=(const bulk_socket&) = delete;

  int fd() const { return fd_; }
  void shut_down();

private:
  const int fd_;
};

class bulk_channel {
public:
  explicit bulk_channel(std::shared_ptr<bulk_socket> socket) : socket_(std::move(socket)) {}
  virtual ~bulk_channel() = default;

  // All of `all`. errc::deadline, or errc::node_lost when the connection has ended.
  result<void> read(std::span<std::byte> all, time_point until);
  result<void> write(std::span<const std::byte> all, time_point until);

  // Whether the other side has said something, or has gone.
  virtual bool readable() const;

  // Says nothing more, and throws away what still comes until the other side closes: what was
  // written last reaches a peer that was writing, too.
  void drain(time_point until);

protected:
  // What one call moved; when it moved nothing, the event to wait for; neither: the end.
  struct step {
    size_t bytes = 0;
    short wait_for = 0;
  };

  virtual step read_some(std::span<std::byte> into);
  virtual step write_some(std::span<const std::byte> from);

  result<void> wait(step after, time_point until) const;

private:
  std::shared_ptr<bulk_socket> socket_;
};

} // namespace troupe
