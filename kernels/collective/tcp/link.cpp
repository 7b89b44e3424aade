#include "kernels/collective/tcp/link.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace troupe::collective::tcp {
namespace {

constexpr const char* mend = ": make a new generation.";

// A rank that closes its connection has ended the group or has died; which of the two does not
// matter to this one.
error lost(uint32_t rank) {
  return {errc::aborted, "rank " + std::to_string(rank) + " closed its connection" + mend};
}

error failed(uint32_t rank, int code) {
  auto closed = code == EPIPE || code == ECONNRESET || code == ETIMEDOUT || code == ENOTCONN;
  if (closed)
    return lost(rank);
  return {errc::io, "the connection to rank " + std::to_string(rank) + " failed (" + strerror(code)
                      + ")" + mend};
}

} // namespace

int milliseconds_left(time_point until) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000));
}

mesh_link::mesh_link(std::vector<owned_fd> outgoing, std::vector<owned_fd> incoming)
  : outgoing_(std::move(outgoing)), incoming_(std::move(incoming)), told_(outgoing_.size()),
    heard_(outgoing_.size()) {}

void mesh_link::begin(const operation& op) {
  op_ = op;
  told_.assign(told_.size(), false);
  heard_.assign(heard_.size(), false);
}

// Each says whether it moved anything.
result<bool> mesh_link::send_some(uint32_t to, std::span<const std::byte>& out) {
  if (out.empty())
    return false;
  auto sent = ::send(outgoing_[to].get(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return false;
    return failed(to, errno);
  }
  out = out.subspan(static_cast<size_t>(sent));
  return sent > 0;
}

result<bool> mesh_link::receive_some(uint32_t from, std::span<std::byte>& in) {
  if (in.empty())
    return false;
  auto got = recv(incoming_[from].get(), in.data(), in.size(), MSG_DONTWAIT);
  if (got == 0)
    return lost(from);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return false;
    return failed(from, errno);
  }
  in = in.subspan(static_cast<size_t>(got));
  return true;
}

result<void> mesh_link::exchange(uint32_t to, std::span<const std::byte> out, uint32_t from,
                                 std::span<std::byte> in, time_point until) {
  auto sends = !out.empty();
  auto receives = !in.empty();
  operation theirs = op_;
  std::span<const std::byte> tells;
  std::span<std::byte> hears;
  if (sends && !told_[to])
    tells = std::as_bytes(std::span(&op_, 1));
  if (receives && !heard_[from])
    hears = std::as_writable_bytes(std::span(&theirs, 1));
  for (;;) {
    auto sent = send_some(to, tells.empty() ? out : tells);
    if (!sent)
      return sent.error();
    auto got = receive_some(from, hears.empty() ? in : hears);
    if (!got)
      return got.error();
    if (hears.empty() && !same_call(theirs, op_))
      return mismatch(op_, theirs, from);
    if (out.empty() && in.empty())
      break;
    // Also while bytes move: a rank that trickles does not stretch the deadline.
    auto left = milliseconds_left(until);
    if (left == 0)
      return {errc::deadline, "rank " + std::to_string(in.empty() ? to : from)
                                + (in.empty() ? " did not take its data" : " sent nothing")
                                + " in time" + mend};
    if (*sent || *got)
      continue;
    pollfd wanted[2] = {{out.empty() ? -1 : outgoing_[to].get(), POLLOUT, 0},
                        {in.empty() ? -1 : incoming_[from].get(), POLLIN, 0}};
    if (poll(wanted, 2, left) < 0 && errno != EINTR)
      return {errc::io,
              std::string("waiting for other ranks failed (") + strerror(errno) + ")" + mend};
  }
  if (sends)
    told_[to] = true;
  if (receives)
    heard_[from] = true;
  return {};
}

result<void> mesh_link::look() {
  for (uint32_t rank = 0; rank < incoming_.size(); ++rank) {
    pollfd state{incoming_[rank].get(), POLLRDHUP, 0};
    if (incoming_[rank] && poll(&state, 1, 0) > 0)
      return lost(rank);
  }
  return {};
}

void mesh_link::end() {
  for (auto* sockets : {&outgoing_, &incoming_})
    for (auto& each : *sockets)
      if (each)
        shutdown(each.get(), SHUT_RDWR);
}

} // namespace troupe::collective::tcp
