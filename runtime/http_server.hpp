// Answers HTTP/1.1 requests, each connection on a thread of its own.
//
//   auto server = http_server::start({"127.0.0.1:8080"}, [](http_exchange& x) {
//     x.answer(200, {{"content-type", "text/plain"}}, "hello\n");
//   });
//
// Guarantees: what is no request is answered with 400, a head that is too big with 431, and neither
// reaches the handler; the destructor ends every connection and waits for its thread.
// Limits: connections_max at a time, who comes beyond is answered with 503; http_head_max bytes of
// head; a head has to come within head_time, also after an earlier answer; every piece of an answer
// has to be taken within send_time. A handler that leaves a body unread ends the connection.
// Threads: the handler runs on that of the connection, many at a time, and may block.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/http_message.hpp"

#include <functional>
#include <memory>

namespace troupe {

// One request, and how it is answered: by answer(), or begin() and piece() until finish(), or by
// what is sent to socket() after take().
class http_exchange {
public:
  http_exchange(int socket, http_request asked, std::string& received, duration send_time);

  const http_request& request() const noexcept { return request_; }

  void answer(uint32_t status, http_headers headers, std::string_view body);

  // An answer whose size is not known yet. False: nobody takes it any more.
  bool begin(uint32_t status, http_headers headers);
  bool piece(std::string_view bytes);
  void finish();

  // The connection's socket, from now on the handler's business as long as it runs; what came
  // behind the head is returned.
  std::string take();
  int socket() const noexcept { return socket_; }

  // Waits for so long; true: nobody waits for an answer any more.
  bool is_left(duration wait) const;

  // Whether another request may follow.
  bool may_go_on() const noexcept { return go_on_; }

private:
  bool send(std::string_view bytes);

  const int socket_;
  const http_request request_;
  std::string& received_; // behind the head
  const duration send_time_;
  bool go_on_;
  bool chunked_ = false;
};

struct http_server_options {
  std::string address; // HOST:PORT, or PORT of loopback
  size_t connections_max = 64;
  duration head_time = std::chrono::seconds{10};
  duration send_time = std::chrono::seconds{30};
};

class http_server {
public:
  using handler = std::function<void(http_exchange&)>;

  static result<std::unique_ptr<http_server>> start(http_server_options options, handler answer);
  virtual ~http_server() = default;

  // Where it listens: HOST:PORT.
  virtual const std::string& address() const noexcept = 0;
};

} // namespace troupe
