// The part of libzmq that the transport needs, without its header: a context, sockets, messages.
//
// Nothing here blocks but poll() and the end of a context, which waits up to 1 s for what was sent.
// Threads: a socket belongs to one thread at a time.
// Source: ZeroMQ RFC 23 (ZMTP), 25 (CURVE), 27 (ZAP), 28 (REQREP: DEALER and ROUTER).
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/keys.hpp"

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::zeromq {

class context {
public:
  context();
  ~context();
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  void* raw() { return raw_; }

private:
  void* raw_;
};

class message {
public:
  message();
  ~message();
  message(const message&) = delete;
  message& operator=(const message&) = delete;

  std::span<const std::byte> bytes() const;
  bool more() const;        // further parts follow
  int connection() const;   // the descriptor of the connection that it came by
  std::string user() const; // the name that ZAP gave to its sender

  void* raw() { return raw_; }

private:
  alignas(8) mutable std::byte raw_[64];
};

enum class sent { yes, full, gone };

class socket {
public:
  socket() = default;
  explicit socket(void* raw) : raw_(raw) {}

  explicit operator bool() const { return raw_ != nullptr; }
  void* raw() const { return raw_.get(); }

  // Answers the endpoint with its port filled in.
  result<std::string> bind(const std::string& endpoint);
  result<void> connect(const std::string& endpoint);

  // False: nothing waits.
  bool receive(message& into);
  bool readable() const;
  sent send(std::span<const std::byte> bytes, bool more = false);

  // All parts of a message at once, as text.
  bool receive_all(std::vector<std::string>& parts);
  void send_all(std::initializer_list<std::string> parts);

private:
  struct closer {
    void operator()(void* raw) const;
  };
  std::unique_ptr<void, closer> raw_;
};

// What happened to a connection of a socket.
struct event {
  enum kind { accepted, ready, refused, unreachable, gone };
  kind what;
  int connection; // its descriptor, where `what` is accepted or gone
};

// Tells of the connections of a socket, which it must not outlive.
class monitor {
public:
  monitor() = default;
  monitor(monitor&&) = default;
  monitor& operator=(monitor&&) = default;
  ~monitor();

  // `name`: unique in the context.
  static result<monitor> of(context& context, socket& watched, const std::string& name);

  socket& events() { return events_; }
  std::optional<event> next();

private:
  socket events_;
  std::unique_ptr<void, void (*)(void*)> stop_{nullptr, nullptr};
};

result<socket> make_zap(context& context);
result<socket> make_router(context& context, const key_pair& own);
result<socket> make_dealer(context& context, const key_pair& own, const std::string& server_key);

// Waits until the descriptor or one of the sockets can be read, or the time is over (-1: never).
void poll(int descriptor, std::span<socket* const> sockets, int timeout_ms);

// A raw key of 32 bytes as Z85.
std::string to_text(const std::string& key);

} // namespace troupe::zeromq
