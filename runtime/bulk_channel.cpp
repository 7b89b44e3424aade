#include "runtime/bulk_channel.hpp"

#include "runtime/tcp_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace troupe {

bulk_socket::~bulk_socket() {
  ::close(fd_);
}

void bulk_socket::shut_down() {
  ::shutdown(fd_, SHUT_RDWR);
}

result<void> bulk_channel::read(std::span<std::byte> all, time_point until) {
  while (!all.empty()) {
    auto did = read_some(all);
    all = all.subspan(did.bytes);
    if (did.bytes == 0)
      TROUPE_TRY(wait(did, until));
  }
  return {};
}

result<void> bulk_channel::write(std::span<const std::byte> all, time_point until) {
  while (!all.empty()) {
    auto did = write_some(all);
    all = all.subspan(did.bytes);
    if (did.bytes == 0)
      TROUPE_TRY(wait(did, until));
  }
  return {};
}

result<void> bulk_channel::wait(step after, time_point until) const {
  if (after.wait_for == 0)
    return {errc::node_lost,
            "the other side of the bulk transfer has ended the connection, because "
            "it stopped or died; try again, a transfer goes on where it ended"};
  if (wait_for(socket_->fd(), after.wait_for, until))
    return {};
  return {errc::deadline, "the other side of the bulk transfer was too slow for the deadline of a "
                          "chunk; try again, a transfer goes on where it ended"};
}

bool bulk_channel::readable() const {
  pollfd watched{socket_->fd(), POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

void bulk_channel::drain(time_point until) {
  ::shutdown(socket_->fd(), SHUT_WR);
  std::array<std::byte, 4096> unread{};
  while (wait_for(socket_->fd(), POLLIN, until)) {
    auto got = ::recv(socket_->fd(), unread.data(), unread.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && !would_block()))
      return;
  }
}

bulk_channel::step bulk_channel::read_some(std::span<std::byte> into) {
  auto got = ::recv(socket_->fd(), into.data(), into.size(), MSG_DONTWAIT);
  if (got > 0)
    return {static_cast<size_t>(got), 0};
  return {0, static_cast<short>(got < 0 && would_block() ? POLLIN : 0)};
}

bulk_channel::step bulk_channel::write_some(std::span<const std::byte> from) {
  auto sent = ::send(socket_->fd(), from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0)
    return {static_cast<size_t>(sent), 0};
  return {0, static_cast<short>(sent < 0 && would_block() ? POLLOUT : 0)};
}

} // namespace troupe
