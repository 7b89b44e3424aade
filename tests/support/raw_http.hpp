// Bytes to and from an HTTP server, as a stranger sends them.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/tcp_socket.hpp"

#include <gtest/gtest.h>

#include <string>

namespace troupe::testing {

class raw_http {
public:
  // `address`: 127.0.0.1:PORT
  explicit raw_http(const std::string& address) {
    auto connected = connect_tcp(address, system_clock{}.now() + patience);
    EXPECT_TRUE(connected);
    if (connected)
      socket_ = owned_fd{*connected};
  }

  void send(std::string_view bytes) const { send_all(socket_.get(), bytes, patience); }

  // What comes until `end` has come; all of it if it never does.
  std::string receive_until(std::string_view end) {
    while (received_.find(end) == std::string::npos)
      if (!receive_some(socket_.get(), received_, patience))
        return std::exchange(received_, {});
    auto size = received_.find(end) + end.size();
    auto out = received_.substr(0, size);
    received_.erase(0, size);
    return out;
  }

  // What comes until the other side closes.
  std::string receive_all() {
    while (receive_some(socket_.get(), received_, patience)) {
    }
    return std::exchange(received_, {});
  }

private:
  static constexpr auto patience = std::chrono::seconds{20};

  owned_fd socket_;
  std::string received_;
};

// The whole answer to one request of its own connection.
inline std::string ask_raw(const std::string& address, std::string_view request) {
  raw_http connection{address};
  connection.send(request);
  return connection.receive_all();
}

} // namespace troupe::testing
