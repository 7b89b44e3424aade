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

// A neighbour that closes its connection has ended the group or has died; which of the two does not
// matter to this rank.
error lost(const std::string& which) {
  return {errc::aborted, "the " + which + " rank closed its connection" + mend};
}

error failed(const std::string& which, int code) {
  auto closed = code == EPIPE || code == ECONNRESET || code == ETIMEDOUT || code == ENOTCONN;
  if (closed)
    return lost(which);
  return {errc::io,
          "the connection to the " + which + " rank failed (" + strerror(code) + ")" + mend};
}

} // namespace

int milliseconds_left(time_point until) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000));
}

ring_link::ring_link(owned_fd next, owned_fd previous)
  : next_(std::move(next)), previous_(std::move(previous)) {}

// Each says whether it moved anything.
result<bool> ring_link::send_some(std::span<const std::byte>& out) {
  if (out.empty())
    return false;
  auto sent = send(next_.get(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return false;
    return failed("next", errno);
  }
  out = out.subspan(static_cast<size_t>(sent));
  return sent > 0;
}

result<bool> ring_link::receive_some(std::span<std::byte>& in) {
  if (in.empty())
    return false;
  auto got = recv(previous_.get(), in.data(), in.size(), MSG_DONTWAIT);
  if (got == 0)
    return lost("previous");
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return false;
    return failed("previous", errno);
  }
  in = in.subspan(static_cast<size_t>(got));
  return true;
}

result<void> ring_link::exchange(std::span<const std::byte> out, std::span<std::byte> in,
                                 time_point until) {
  for (;;) {
    auto sent = send_some(out);
    if (!sent)
      return sent.error();
    auto got = receive_some(in);
    if (!got)
      return got.error();
    if (out.empty() && in.empty())
      return {};
    // Also while bytes move: a neighbour that trickles does not stretch the deadline.
    auto left = milliseconds_left(until);
    if (left == 0)
      return {errc::deadline, std::string(in.empty() ? "the next rank did not take its data"
                                                     : "the previous rank sent nothing")
                                + " in time" + mend};
    if (*sent || *got)
      continue;
    pollfd wanted[2] = {{out.empty() ? -1 : next_.get(), POLLOUT, 0},
                        {in.empty() ? -1 : previous_.get(), POLLIN, 0}};
    if (poll(wanted, 2, left) < 0 && errno != EINTR)
      return {errc::io,
              std::string("waiting for the ring failed (") + strerror(errno) + ")" + mend};
  }
}

void ring_link::end() {
  shutdown(next_.get(), SHUT_RDWR);
  shutdown(previous_.get(), SHUT_RDWR);
}

} // namespace troupe::collective::tcp
