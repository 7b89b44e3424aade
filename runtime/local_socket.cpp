#include "runtime/local_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace troupe {

namespace {

constexpr std::string_view scheme = "local:";
constexpr int backlog = 512;
constexpr timeval connect_patience{5, 0};

error system_error(const std::string& what) {
  return {errc::io, what + ": " + std::strerror(errno)};
}

result<sockaddr_un> address_of(const std::string& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!endpoint.starts_with(scheme) || endpoint.size() == scheme.size())
    return error{errc::invalid, "'" + endpoint + "' is no local endpoint; write local:/path"};
  auto path = endpoint.substr(scheme.size());
  if (path.size() >= sizeof(address.sun_path))
    return error{errc::invalid, "the socket path '" + path + "' is longer than "
                                  + std::to_string(sizeof(address.sun_path) - 1)
                                  + " bytes; choose a shorter directory"};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

bool connect_to(int fd, const sockaddr_un& address) {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

bool answers(const sockaddr_un& address) {
  auto fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto answered = connect_to(fd, address);
  ::close(fd);
  return answered;
}

} // namespace

result<int> listen_local(const std::string& endpoint) {
  auto address = address_of(endpoint);
  if (!address)
    return address.error();
  if (answers(*address))
    return {errc::already_exists,
            "another process listens at " + endpoint + "; stop it, or choose another directory"};
  ::unlink(address->sun_path);
  auto fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  auto ok = ::bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0
            && ::chmod(address->sun_path, 0600) == 0 && ::listen(fd, backlog) == 0;
  if (ok)
    return fd;
  auto why = system_error("cannot listen at " + endpoint);
  ::close(fd);
  return why;
}

void unlink_local(const std::string& endpoint) {
  ::unlink(endpoint.substr(scheme.size()).c_str());
}

result<int> connect_local(const std::string& endpoint) {
  auto address = address_of(endpoint);
  if (!address)
    return address.error();
  auto fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // It bounds the wait for a listener whose queue is full.
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &connect_patience, sizeof(connect_patience));
  if (connect_to(fd, *address))
    return fd;
  auto why
    = error{errc::unavailable, "nobody answers at " + endpoint + ": " + std::strerror(errno)};
  ::close(fd);
  return why;
}

result<std::string> principal_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return system_error("cannot read the peer's credentials");
  if (peer.uid != ::geteuid() && peer.uid != 0 && ::geteuid() != 0)
    return error{errc::refused, "user " + std::to_string(peer.uid) + " may not use this socket"};
  return "uid:" + std::to_string(peer.uid);
}

} // namespace troupe
