// The connections of a rank to all others: to each one over which it only sends, and one over which
// it only receives.
//
// Threads: the transfers from one thread; end() from any thread.
#pragma once

#include "kernels/collective/operation.hpp"
#include "runtime/base/owned_fd.hpp"

#include <cstddef>

namespace troupe::collective::tcp {

// For poll(2): rounded up, at least 0.
int milliseconds_left(time_point until);

class mesh_link {
public:
  // Sockets that do not block, by rank, whose other ends have proven themselves.
  mesh_link(std::vector<owned_fd> outgoing, std::vector<owned_fd> incoming);

  // What follows belongs to this operation: the first bytes to and from each rank say so, and
  // payload of another one is never used.
  void begin(const operation& op);

  // Sends all of `out` to one rank and receives all of `in` from another, or the same, at one time.
  // Either may be empty: then nothing is said to, or heard from, that rank.
  result<void> exchange(uint32_t to, std::span<const std::byte> out, uint32_t from,
                        std::span<std::byte> in, time_point until);

  // Fails when a rank has closed its connection, also if bytes of it have not been read yet.
  result<void> look();

  // Shuts all connections down: the others find an end of stream.
  void end();

private:
  result<bool> send_some(uint32_t to, std::span<const std::byte>& out);
  result<bool> receive_some(uint32_t from, std::span<std::byte>& in);

  std::vector<owned_fd> outgoing_;
  std::vector<owned_fd> incoming_;
  operation op_;
  std::vector<bool> told_; // of this operation
  std::vector<bool> heard_;
};

// Connects to all others and accepts them, with proofs in both directions. Closes the listener.
result<std::unique_ptr<mesh_link>> join(const group_options& options, owned_fd listener,
                                        const std::vector<std::string>& members, time_point until);

// A group of the ranks that `among` names, in that order, over connections that other groups of the
// same ranks use too, one operation after the other.
result<std::unique_ptr<common_group>> make_group(const group_options& options,
                                                 std::shared_ptr<mesh_link> link,
                                                 std::vector<uint32_t> among, time_point until);

} // namespace troupe::collective::tcp
