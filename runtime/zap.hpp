// Decides which CURVE keys are let in: the handler of ZeroMQ's authentication protocol (RFC 27).
//
// Threads: none of its own; serve() is called by the thread that holds the socket, when it is
// readable.
#pragma once

#include "runtime/zmq_socket.hpp"

#include <ctime>
#include <map>
#include <string>

namespace troupe {

class zap_handler {
public:
  // One for each context, before its first server socket.
  static result<zap_handler> open(zeromq::context& context, std::string directory);

  zeromq::socket& socket() { return socket_; }

  // Answers all requests that wait.
  void serve();

  // The name of a key (Z85) in the list, or empty. The list is read again if its directory has
  // changed, or if the key is not in it.
  std::string name_of_key(const std::string& public_key);

private:
  zap_handler(zeromq::socket socket, std::string directory);

  void reload();

  zeromq::socket socket_;
  std::string directory_;
  std::map<std::string, std::string> names_;
  timespec changed_{};
};

} // namespace troupe
