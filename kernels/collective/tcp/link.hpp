// The two connections of a rank in a ring: to the next rank it only sends, from the previous one it
// only receives.
//
// Threads: the transfers from one thread; end() from any thread.
#pragma once

#include "kernels/collective/operation.hpp"

#include <cstddef>

namespace troupe::collective::tcp {

// A socket, closed at the end.
class socket_handle {
public:
  explicit socket_handle(int fd = -1) : fd_(fd) {}
  ~socket_handle();
  socket_handle(socket_handle&& other) noexcept;
  socket_handle& operator=(socket_handle&& other) noexcept;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

private:
  int fd_;
};

// For poll(2): rounded up, at least 0.
int milliseconds_left(time_point until);

class ring_link {
public:
  // Sockets that do not block, whose other ends have proven themselves.
  ring_link(socket_handle next, socket_handle previous);

  // Sends all of `out` to the next rank and receives all of `in` from the previous one, at the same
  // time. Either may be empty.
  result<void> exchange(std::span<const std::byte> out, std::span<std::byte> in, time_point until);

  // Shuts both connections down: the neighbours find an end of stream.
  void end();

private:
  result<bool> send_some(std::span<const std::byte>& out);
  result<bool> receive_some(std::span<std::byte>& in);

  socket_handle next_;
  socket_handle previous_;
};

// Connects to the next rank, accepts the previous one, with proofs in both directions. Closes the
// listener.
result<std::unique_ptr<ring_link>> join(const group_options& options, socket_handle listener,
                                        const std::vector<std::string>& members, time_point until);

} // namespace troupe::collective::tcp
