#include "runtime/zmq_socket.hpp"

#include "runtime/base/limits.hpp"

#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace troupe::zeromq {
namespace {

constexpr int linger_ms = 1000;
constexpr int handshake_ms = 10'000;
constexpr int queue_max = 16; // batches; our own buffers hold the rest
constexpr int backlog = 1024;
constexpr int sockets_max = 3 * static_cast<int>(limits::links_max) + 64;
// The frame, its header, and what CURVE adds.
constexpr int64_t message_size_max = limits::frame_size_max + 1024;

error failure(const std::string& what) {
  return {errc::io, "ZeroMQ cannot " + what + ": " + zmq_strerror(zmq_errno())
                      + "; check the endpoint and the limits of this process"};
}

zmq_msg_t* message_of(void* raw) {
  return static_cast<zmq_msg_t*>(raw);
}

class settings {
public:
  explicit settings(const socket& target) : raw_(target.raw()) {}

  settings& number(int option, int value) {
    good_ = good_ && zmq_setsockopt(raw_, option, &value, sizeof value) == 0;
    return *this;
  }

  settings& large(int option, int64_t value) {
    good_ = good_ && zmq_setsockopt(raw_, option, &value, sizeof value) == 0;
    return *this;
  }

  settings& text(int option, const std::string& value) {
    good_ = good_ && zmq_setsockopt(raw_, option, value.c_str(), value.size()) == 0;
    return *this;
  }

  bool good() const { return good_; }

private:
  void* raw_;
  bool good_ = true;
};

// For every socket that carries frames.
settings& bound(settings& target, const key_pair& own) {
  return target.number(ZMQ_LINGER, linger_ms)
    .number(ZMQ_SNDHWM, queue_max)
    .number(ZMQ_RCVHWM, queue_max)
    .number(ZMQ_HANDSHAKE_IVL, handshake_ms)
    .number(ZMQ_TCP_KEEPALIVE, 1)
    .number(ZMQ_TCP_KEEPALIVE_IDLE, 30)
    .number(ZMQ_TCP_KEEPALIVE_INTVL, 10)
    .number(ZMQ_TCP_KEEPALIVE_CNT, 3)
    .large(ZMQ_MAXMSGSIZE, message_size_max)
    .text(ZMQ_CURVE_PUBLICKEY, own.public_key)
    .text(ZMQ_CURVE_SECRETKEY, own.secret_key);
}

} // namespace

context::context() : raw_(zmq_ctx_new()) {
  TROUPE_ASSERT(raw_ != nullptr);
  zmq_ctx_set(raw_, ZMQ_MAX_SOCKETS, sockets_max);
}

context::~context() {
  while (zmq_ctx_term(raw_) != 0 && zmq_errno() == EINTR) {
  }
}

message::message() {
  static_assert(sizeof(raw_) == sizeof(zmq_msg_t));
  zmq_msg_init(message_of(raw_));
}

message::~message() {
  zmq_msg_close(message_of(raw_));
}

std::span<const std::byte> message::bytes() const {
  return {static_cast<const std::byte*>(zmq_msg_data(message_of(raw_))),
          zmq_msg_size(message_of(raw_))};
}

bool message::more() const {
  return zmq_msg_more(message_of(raw_)) != 0;
}

int message::connection() const {
  return zmq_msg_get(message_of(raw_), ZMQ_SRCFD);
}

std::string message::user() const {
  const auto* name = zmq_msg_gets(message_of(raw_), "User-Id");
  return name == nullptr ? std::string{} : std::string{name};
}

void socket::closer::operator()(void* raw) const {
  zmq_close(raw);
}

result<std::string> socket::bind(const std::string& endpoint) {
  if (zmq_bind(raw(), endpoint.c_str()) != 0)
    return failure("listen at '" + endpoint + "'");
  std::array<char, 512> filled{};
  auto size = filled.size();
  if (zmq_getsockopt(raw(), ZMQ_LAST_ENDPOINT, filled.data(), &size) != 0)
    return failure("tell where it listens");
  return std::string{filled.data()};
}

result<void> socket::connect(const std::string& endpoint) {
  if (zmq_connect(raw(), endpoint.c_str()) != 0)
    return failure("connect to '" + endpoint + "'");
  return {};
}

bool socket::receive(message& into) {
  int count = 0;
  do
    count = zmq_msg_recv(message_of(into.raw()), raw(), ZMQ_DONTWAIT);
  while (count < 0 && zmq_errno() == EINTR);
  return count >= 0;
}

bool socket::readable() const {
  int events = 0;
  auto size = sizeof events;
  return zmq_getsockopt(raw(), ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

sent socket::send(std::span<const std::byte> bytes, bool more) {
  int count = 0;
  do
    count = zmq_send(raw(), bytes.data(), bytes.size(), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
  while (count < 0 && zmq_errno() == EINTR);
  if (count >= 0)
    return sent::yes;
  return zmq_errno() == EAGAIN ? sent::full : sent::gone;
}

bool socket::receive_all(std::vector<std::string>& parts) {
  parts.clear();
  message part;
  while (receive(part)) {
    auto bytes = part.bytes();
    parts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!part.more())
      return true;
  }
  return false;
}

void socket::send_all(std::initializer_list<std::string> parts) {
  auto left = parts.size();
  for (const auto& part : parts)
    send(std::as_bytes(std::span{part}), --left > 0);
}

monitor::~monitor() {
  stop_.reset(); // first: an event without a reader would block libzmq's thread
}

result<monitor> monitor::of(context& context, socket& watched, const std::string& name) {
  auto endpoint = "inproc://monitor-" + name;
  constexpr int wanted = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED
                         | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                         | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                         | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
  monitor made;
  made.events_ = socket{zmq_socket(context.raw(), ZMQ_PAIR)};
  if (!made.events_)
    return failure("make another socket");
  // No bound: libzmq's thread would wait at it, and with it every connection.
  settings own{made.events_};
  if (!own.number(ZMQ_RCVHWM, 0).number(ZMQ_LINGER, 0).good())
    return failure("set up a monitor");
  if (zmq_socket_monitor(watched.raw(), endpoint.c_str(), wanted) != 0)
    return failure("watch a socket");
  made.stop_ = {watched.raw(), [](void* raw) { zmq_socket_monitor(raw, nullptr, 0); }};
  TROUPE_TRY(made.events_.connect(endpoint));
  return made;
}

std::optional<event> monitor::next() {
  std::vector<std::string> parts;
  while (events_.receive_all(parts)) {
    uint16_t what = 0;
    int32_t value = 0;
    if (parts.empty() || parts[0].size() < sizeof what + sizeof value)
      continue;
    std::memcpy(&what, parts[0].data(), sizeof what);
    std::memcpy(&value, parts[0].data() + sizeof what, sizeof value);
    switch (what) {
    case ZMQ_EVENT_ACCEPTED:
      return event{event::accepted, value};
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return event{event::ready, -1};
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return event{event::refused, -1};
    case ZMQ_EVENT_CLOSED:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      return event{event::unreachable, -1};
    case ZMQ_EVENT_DISCONNECTED:
      return event{event::gone, value};
    default:
      break;
    }
  }
  return std::nullopt;
}

result<socket> make_zap(context& context) {
  socket made{zmq_socket(context.raw(), ZMQ_REP)};
  if (!made)
    return failure("make another socket");
  settings own{made};
  if (!own.number(ZMQ_LINGER, 0).good())
    return failure("set up the check of keys");
  if (auto bound_to = made.bind("inproc://zeromq.zap.01"); !bound_to)
    return bound_to.error();
  return made;
}

result<socket> make_router(context& context, const key_pair& own) {
  socket made{zmq_socket(context.raw(), ZMQ_ROUTER)};
  if (!made)
    return failure("make another socket");
  settings options{made};
  if (!bound(options, own)
         .number(ZMQ_CURVE_SERVER, 1)
         .text(ZMQ_ZAP_DOMAIN, "troupe")
         .number(ZMQ_ROUTER_MANDATORY, 1)
         .number(ZMQ_BACKLOG, backlog)
         .good())
    return failure("set up a server socket");
  return made;
}

result<socket> make_dealer(context& context, const key_pair& own, const std::string& server_key) {
  socket made{zmq_socket(context.raw(), ZMQ_DEALER)};
  if (!made)
    return failure("make another socket");
  settings options{made};
  if (!bound(options, own)
         .text(ZMQ_CURVE_SERVERKEY, server_key)
         .number(ZMQ_RECONNECT_IVL, -1)
         .number(ZMQ_CONNECT_TIMEOUT, handshake_ms)
         .good())
    return failure("set up a client socket");
  return made;
}

void poll(int descriptor, std::span<socket* const> sockets, int timeout_ms) {
  std::vector<zmq_pollitem_t> items;
  items.reserve(sockets.size() + 1);
  items.push_back({nullptr, descriptor, ZMQ_POLLIN, 0});
  for (auto* each : sockets)
    items.push_back({each->raw(), 0, ZMQ_POLLIN, 0});
  zmq_poll(items.data(), static_cast<int>(items.size()), timeout_ms);
}

std::string to_text(const std::string& key) {
  std::array<char, 41> text{};
  if (key.size() != 32
      || zmq_z85_encode(text.data(), reinterpret_cast<const uint8_t*>(key.data()), key.size())
           == nullptr)
    return {};
  return text.data();
}

} // namespace troupe::zeromq
