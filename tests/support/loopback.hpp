// Sockets that listen on this machine alone.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace troupe::test {

struct listening {
  int fd;
  std::string address; // host:port
};

// At a free port of this address of the machine itself. Without one the program ends.
inline listening listen_at(const char* address) {
  auto fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = inet_addr(address);
  socklen_t length = sizeof at;
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), length) != 0 || listen(fd, 128) != 0
      || getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length) != 0) {
    std::perror(address);
    std::exit(1);
  }
  return {fd, std::string(address) + ":" + std::to_string(ntohs(at.sin_port))};
}

} // namespace troupe::test
