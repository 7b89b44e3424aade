#include "runtime/bulk_channel.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace troupe {

namespace {

constexpr int backlog = 512;

using address_list = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

result<address_list> addresses_of(const std::string& address, int flags) {
  auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
    return error{errc::invalid, "'" + address + "' is no address; write HOST:PORT"};
  auto host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  auto failed = ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found);
  if (failed != 0)
    return error{errc::unavailable, "cannot find '" + address + "': " + ::gai_strerror(failed)
                                      + "; check the host's name and the port"};
  return address_list{found, &::freeaddrinfo};
}

int socket_for(const addrinfo& address) {
  return ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address.ai_protocol);
}

bool connects(const bulk_socket& socket, const addrinfo& address, time_point until) {
  if (::connect(socket.fd(), address.ai_addr, address.ai_addrlen) == 0)
    return true;
  if (errno != EINPROGRESS)
    return false;
  if (!socket.wait(POLLOUT, until)) {
    errno = ETIMEDOUT;
    return false;
  }
  socklen_t size = sizeof(errno);
  return ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &errno, &size) == 0 && errno == 0;
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

} // namespace

bulk_socket::~bulk_socket() {
  ::close(fd_);
}

void bulk_socket::shut_down() {
  ::shutdown(fd_, SHUT_RDWR);
}

bool bulk_socket::wait(short events, time_point until) const {
  constexpr int64_t longest_ms = 3'600'000;
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - system_clock{}.now()).count();
    if (left <= 0)
      return false;
    pollfd watched{fd_, events, 0};
    auto ready = ::poll(&watched, 1, static_cast<int>(std::min(left, longest_ms)));
    if (ready > 0)
      return true;
    if (ready < 0 && errno != EINTR)
      return false;
  }
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
  if (socket_->wait(after.wait_for, until))
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
  while (socket_->wait(POLLIN, until)) {
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

result<int> listen_tcp(const std::string& address) {
  auto found = addresses_of(address, AI_PASSIVE);
  if (!found)
    return found.error();
  auto fd = socket_for(**found);
  int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd, (*found)->ai_addr, (*found)->ai_addrlen) == 0 && ::listen(fd, backlog) == 0)
    return fd;
  error why{errc::io, "cannot listen at " + address + ": " + std::strerror(errno)
                        + "; choose another port or an address of this host"};
  ::close(fd);
  return why;
}

result<std::shared_ptr<bulk_socket>> connect_tcp(const std::string& address, time_point until) {
  auto found = addresses_of(address, 0);
  if (!found)
    return found.error();
  for (const auto* each = found->get(); each != nullptr; each = each->ai_next) {
    auto socket = std::make_shared<bulk_socket>(socket_for(*each));
    if (connects(*socket, *each, until))
      return socket;
  }
  return {errc::unavailable, "nobody answers at " + address + ": " + std::strerror(errno)
                               + "; check that it runs and can be reached"};
}

std::string port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  std::array<char, NI_MAXSERV> port{};
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, nullptr, 0, port.data(),
                port.size(), NI_NUMERICSERV);
  return port.data();
}

} // namespace troupe
