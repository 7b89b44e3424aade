#include "runtime/tcp_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

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

// False: it is said in errno.
bool connects(int socket, const addrinfo& address, time_point until) {
  if (::connect(socket, address.ai_addr, address.ai_addrlen) == 0)
    return true;
  if (errno != EINPROGRESS)
    return false;
  if (!wait_for(socket, POLLOUT, until)) {
    errno = ETIMEDOUT;
    return false;
  }
  socklen_t size = sizeof(errno);
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &errno, &size) == 0 && errno == 0;
}

} // namespace

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
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

result<int> connect_tcp(const std::string& address, time_point until) {
  auto found = addresses_of(address, 0);
  if (!found)
    return found.error();
  for (const auto* each = found->get(); each != nullptr; each = each->ai_next) {
    auto fd = socket_for(*each);
    int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connects(fd, *each, until))
      return fd;
    ::close(fd);
  }
  return {errc::unavailable, "nobody answers at " + address + ": " + std::strerror(errno)
                               + "; check that it runs and can be reached"};
}

std::string port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  std::array<char, NI_MAXSERV> port{};
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, nullptr, 0, port.data(),
                port.size(), NI_NUMERICSERV);
  return port.data();
}

bool wait_for(int socket, short events, time_point until) {
  constexpr int64_t longest_ms = 3'600'000;
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - system_clock{}.now()).count();
    if (left <= 0)
      return false;
    pollfd watched{socket, events, 0};
    auto ready = ::poll(&watched, 1, static_cast<int>(std::min(left, longest_ms)));
    if (ready > 0)
      return true;
    if (ready < 0 && errno != EINTR)
      return false;
  }
}

bool send_all(int socket, std::string_view bytes, duration patience) {
  auto until = system_clock{}.now() + patience;
  while (!bytes.empty()) {
    auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0)
      bytes.remove_prefix(static_cast<size_t>(sent));
    else if (!would_block() || !wait_for(socket, POLLOUT, until))
      return false;
  }
  return true;
}

bool receive_some(int socket, std::string& to, duration patience) {
  auto until = system_clock{}.now() + patience;
  std::array<char, 64 << 10> bytes;
  for (;;) {
    auto got = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (got > 0)
      to.append(bytes.data(), static_cast<size_t>(got));
    if (got >= 0)
      return got > 0;
    if (!would_block() || !wait_for(socket, POLLIN, until))
      return false;
  }
}

} // namespace troupe
