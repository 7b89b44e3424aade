#include "actors/jobs/framework_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace troupe {
namespace {

// `errno` says why where the socket is none.
owned_fd bound(int family, const void* address, socklen_t size, bool shared) {
  owned_fd out{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int on = 1;
  int off = 0;
  if (out && family == AF_INET6) // all addresses of both families
    ::setsockopt(out.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (out && shared) {
    ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  if (out && ::bind(out.get(), static_cast<const sockaddr*>(address), size) != 0)
    out.close();
  return out;
}

owned_fd bound(const sockaddr_in& address, bool shared) {
  return bound(AF_INET, &address, sizeof address, shared);
}

// The port at all addresses: with one address only, another program could get its number at
// another one, and a command that binds all of them would fail.
owned_fd held() {
  sockaddr_in6 both{};
  both.sin6_family = AF_INET6;
  if (auto out = bound(AF_INET6, &both, sizeof both, true))
    return out;
  sockaddr_in all{}; // a machine without IPv6
  all.sin_family = AF_INET;
  return bound(all, true);
}

uint16_t port_of(const owned_fd& socket) {
  sockaddr_in6 out{}; // the port of IPv4 lies at the same place
  socklen_t size = sizeof out;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&out), &size) != 0)
    return 0;
  return ntohs(out.sin6_port);
}

} // namespace

result<task_port> open_task_port(framework kind, const std::string& host) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    return {errc::invalid, "'" + host + "' is no IPv4 address; give the node's own with --address"};
  task_port out;
  auto usable = false;
  if (kind == framework::troupe || kind == framework::mpi) {
    out.socket = bound(address, false);
    usable = out.socket && ::listen(out.socket.get(), SOMAXCONN) == 0;
  } else if (out.socket = held(); out.socket) {
    address.sin_port = htons(port_of(out.socket));
    usable = static_cast<bool>(bound(address, true)); // as the command will
  }
  auto why = errno;
  if (usable)
    out.number = port_of(out.socket);
  if (out.number == 0)
    return {errc::io, "the task cannot listen at " + host + ": " + std::strerror(why)
                        + "; give an address of this node with --address"};
  return out;
}

} // namespace troupe
