// What client and server of fork_server.hpp say to each other.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace troupe::launcher {

// A request is this and then the texts, each ended by a zero byte: first the words.
struct fork_request {
  uint32_t size = 0; // bytes of the texts
  uint32_t words = 0;
};

// In the server's environment, unless the user's own setting is there, and not in that of a fork:
// the server looks up the functions of its libraries once, rather than each fork what it calls.
inline constexpr auto bind_variable = "LD_BIND_NOW";
inline constexpr auto bind_value = "fork-server";

struct fork_news {
  enum : int32_t { forked, ended } what = forked;
  int32_t process = 0; // negative: -errno of the fork that failed
  int32_t status = 0;
};

// All of it, or false when the other side is gone.
inline bool send_whole(int to, const void* bytes, size_t size) {
  auto* from = static_cast<const char*>(bytes);
  while (size > 0) {
    auto sent = ::send(to, from, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    from += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

inline bool receive_whole(int from, void* bytes, size_t size) {
  auto* to = static_cast<char*>(bytes);
  while (size > 0) {
    auto got = ::recv(from, to, size, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

} // namespace troupe::launcher
