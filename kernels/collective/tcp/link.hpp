// The two connections of a rank in a ring: to the next rank it only sends, from the previous one it
// only receives.
//
// Threads: the transfers from one thread; end() from any thread.
#pragma once

#include "kernels/collective/operation.hpp"
#include "runtime/base/owned_fd.hpp"

#include <cstddef>

namespace troupe::collective::tcp {

// For poll(2): rounded up, at least 0.
int milliseconds_left(time_point until);

class ring_link {
public:
  // Sockets that do not block, whose other ends have proven themselves.
  ring_link(owned_fd next, owned_fd previous);

  // Sends all of `out` to the next rank and receives all of `in` from the previous one, at the same
  // time. Either may be empty.
  result<void> exchange(std::span<const std::byte> out, std::span<std::byte> in, time_point until);

  // Shuts both connections down: the neighbours find an end of stream.
  void end();

private:
  result<bool> send_some(std::span<const std::byte>& out);
  result<bool> receive_some(std::span<std::byte>& in);

  owned_fd next_;
  owned_fd previous_;
};

// Connects to the next rank, accepts the previous one, with proofs in both directions. Closes the
// listener.
result<std::unique_ptr<ring_link>> join(const group_options& options, owned_fd listener,
                                        const std::vector<std::string>& members, time_point until);

} // namespace troupe::collective::tcp
