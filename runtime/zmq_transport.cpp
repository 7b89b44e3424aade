#include "runtime/zmq_transport.hpp"

#include "runtime/base/log.hpp"
#include "runtime/framing.hpp"
#include "runtime/keys.hpp"
#include "runtime/outbox.hpp"
#include "runtime/zap.hpp"
#include "runtime/zmq_socket.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

namespace troupe {
namespace {

using zeromq::event;
using zeromq::sent;

constexpr int retry_ms = 1;            // a full connection of a ROUTER cannot be waited for
constexpr int messages_per_turn = 256; // then the other sockets have theirs
constexpr int batches_per_turn = 256;

error lost(const char* why) {
  return {errc::node_lost, std::string{why} + "; connect again"};
}

// One link. A dialled one owns its socket; an accepted one is a routing id of the server socket.
struct zmq_link {
  zeromq::socket socket;
  zeromq::monitor monitor; // after the socket: it goes first
  std::string route;
  std::string endpoint;
  int connection = -1;
  bool up = false;
  bool gone = false;  // dialled only: the connection is, but what it brought is not read yet
  bool ended = false; // accepted only: told to go, and ignored until its connection is gone
  bool bye_waits = false;
  std::vector<std::byte> unsent; // a batch that the connection did not take yet

  bool dialled() const { return static_cast<bool>(socket); }
};

class zmq_transport final : public transport {
public:
  explicit zmq_transport(zmq_options options)
    : options_(std::move(options)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    TROUPE_ASSERT(wake_ >= 0);
  }

  ~zmq_transport() override {
    stop();
    ::close(wake_);
  }

  result<void> start(transport_receiver& receiver) override;
  result<std::string> listen(const std::string& endpoint) override;
  result<link_id> connect(const std::string& endpoint) override;
  result<void> send(link_id link, frame_view frame, urgency when) override;
  void close(link_id link) override;
  void stop() override;

private:
  struct server {
    zeromq::socket socket;
    zeromq::monitor monitor;
  };
  struct orders {
    std::optional<server> listen;
    std::vector<std::pair<link_id, zmq_link>> connect;
    std::vector<link_id> close;
    bool stop = false;
  };

  void wake();
  link_id next_link() { return link_id{last_link_.fetch_add(1) + 1}; }

  // Everything below runs on the thread of the sockets.
  void run();
  bool obey();
  void wait();
  void flush(link_id id);
  void finish_sending();
  sent send_on(zmq_link& link, std::span<const std::byte> bytes);
  void read_dialled();
  void read_dialled(link_id id, zmq_link& link);
  bool dialled_event(link_id id, zmq_link& link, event what);
  void read_server();
  void read_server_events();
  void from_peer(const std::string& route, zeromq::message& body);
  void welcome(const std::string& route, zeromq::message& body);
  bool deliver(link_id id, std::span<const std::byte> batch, bool more);
  void end(link_id id, const error& reason, bool say_bye);
  void forget(link_id id);
  void end_all();

  zmq_options options_;
  key_pair keys_;
  int wake_;
  std::atomic<uint64_t> last_link_{0};
  std::atomic<bool> running_{false};
  outboxes outboxes_;
  zeromq::context context_; // outlives every socket
  std::mutex mutex_;        // of the two below
  orders orders_;
  bool listens_ = false;

  transport_receiver* receiver_ = nullptr;
  std::optional<zap_handler> zap_;
  std::optional<server> server_;
  std::map<link_id, zmq_link> links_;
  std::unordered_map<std::string, link_id> by_route_;
  std::unordered_map<int, link_id> by_connection_;
  std::set<int> connections_; // of the server, let in or not
  std::set<link_id> gone_;    // accepted, and their connection is gone
  std::set<link_id> blocked_; // have something to send that was not taken
  std::vector<uint64_t> aligned_;
  std::thread thread_;
};

// ---- any thread -----------------------------------------------------------------------------

result<void> zmq_transport::start(transport_receiver& receiver) {
  TROUPE_ASSERT(receiver_ == nullptr);
  auto keys = load_keys(options_.directory, options_.key);
  if (!keys)
    return keys.error();
  auto zap = zap_handler::open(context_, options_.directory);
  if (!zap)
    return zap.error();
  keys_ = std::move(*keys);
  zap_.emplace(std::move(*zap));
  receiver_ = &receiver;
  running_ = true;
  thread_ = std::thread{[this] { run(); }};
  return {};
}

result<std::string> zmq_transport::listen(const std::string& endpoint) {
  std::lock_guard lock{mutex_};
  if (!running_ || listens_)
    return {errc::already_exists,
            "a transport listens once, while it runs; start another for '" + endpoint + "'"};
  auto socket = zeromq::make_router(context_, keys_);
  if (!socket)
    return socket.error();
  auto monitor = zeromq::monitor::of(context_, *socket, "server");
  if (!monitor)
    return monitor.error();
  auto where = socket->bind(endpoint);
  if (!where)
    return where.error();
  orders_.listen.emplace(server{std::move(*socket), std::move(*monitor)});
  listens_ = true;
  wake();
  return where;
}

result<link_id> zmq_transport::connect(const std::string& endpoint) {
  if (!running_)
    return {errc::unavailable, "the transport is not running; start it first"};
  auto server_key = load_public_key(options_.directory, options_.server);
  if (!server_key)
    return server_key.error();
  auto id = next_link();
  zmq_link link;
  auto socket = zeromq::make_dealer(context_, keys_, *server_key);
  if (!socket)
    return socket.error();
  link.socket = std::move(*socket);
  auto monitor = zeromq::monitor::of(context_, link.socket, std::to_string(id.value));
  if (!monitor)
    return monitor.error();
  link.monitor = std::move(*monitor);
  link.endpoint = endpoint;
  TROUPE_TRY(link.socket.connect(endpoint));
  if (!outboxes_.open(id))
    return {errc::unavailable, "this process has " + std::to_string(limits::links_max)
                                 + " links already; close some first"};
  std::lock_guard lock{mutex_};
  orders_.connect.emplace_back(id, std::move(link));
  wake();
  return id;
}

result<void> zmq_transport::send(link_id link, frame_view frame, urgency) {
  auto first = outboxes_.push(link, frame);
  if (!first)
    return first.error();
  if (*first)
    wake();
  return {};
}

void zmq_transport::close(link_id link) {
  std::lock_guard lock{mutex_};
  orders_.close.push_back(link);
  wake();
}

void zmq_transport::stop() {
  if (!running_.exchange(false))
    return;
  {
    std::lock_guard lock{mutex_};
    orders_.stop = true;
  }
  wake();
  thread_.join();
  std::lock_guard lock{mutex_};
  orders_ = {}; // what came too late holds sockets
}

void zmq_transport::wake() {
  uint64_t one = 1;
  while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

// ---- the thread of the sockets --------------------------------------------------------------

void zmq_transport::run() {
  while (obey()) {
    for (auto id : outboxes_.take_ready())
      flush(id);
    finish_sending();
    zap_->serve();
    read_server();
    read_dialled();
    wait();
  }
  end_all();
}

bool zmq_transport::obey() {
  uint64_t count = 0;
  while (::read(wake_, &count, sizeof count) < 0 && errno == EINTR) {
  }
  std::unique_lock lock{mutex_};
  auto now = std::exchange(orders_, {});
  lock.unlock();
  if (now.listen)
    server_ = std::move(now.listen);
  for (auto& [id, link] : now.connect)
    links_.emplace(id, std::move(link));
  if (now.stop)
    return false;
  for (auto id : now.close) {
    flush(id);
    end(id, {errc::aborted, "the link was closed by this side"}, true);
  }
  return true;
}

void zmq_transport::wait() {
  std::vector<zeromq::socket*> sockets{&zap_->socket()};
  if (server_) {
    sockets.push_back(&server_->socket);
    sockets.push_back(&server_->monitor.events());
  }
  for (auto& [id, link] : links_)
    if (link.dialled()) {
      sockets.push_back(&link.socket);
      sockets.push_back(&link.monitor.events());
    }
  zeromq::poll(wake_, sockets, !gone_.empty() ? 0 : blocked_.empty() ? -1 : retry_ms);
}

sent zmq_transport::send_on(zmq_link& link, std::span<const std::byte> bytes) {
  if (link.dialled())
    return link.socket.send(bytes);
  auto head = server_->socket.send(std::as_bytes(std::span{link.route}), true);
  return head == sent::yes ? server_->socket.send(bytes) : head;
}

void zmq_transport::flush(link_id id) {
  auto found = links_.find(id);
  if (found == links_.end() || !found->second.up || found->second.ended)
    return;
  auto& link = found->second;
  blocked_.erase(id);
  for (int i = 0; i < batches_per_turn; ++i) {
    if (link.unsent.empty()) {
      auto next = outboxes_.pop(id);
      if (!next)
        return;
      link.unsent = std::move(*next);
    }
    auto outcome = send_on(link, link.unsent);
    if (outcome == sent::gone)
      return end(id, lost("the peer is gone"), false);
    if (outcome == sent::full)
      break;
    link.unsent.clear();
  }
  blocked_.insert(id);
}

void zmq_transport::finish_sending() {
  for (auto id : std::vector<link_id>{blocked_.begin(), blocked_.end()}) {
    auto found = links_.find(id);
    if (found == links_.end() || !found->second.bye_waits)
      flush(id);
    else if (send_on(found->second, {}) != sent::full) {
      found->second.bye_waits = false;
      blocked_.erase(id);
    }
  }
}

// ---- links that we dialled

void zmq_transport::read_dialled() {
  std::vector<link_id> ids;
  for (auto& [id, link] : links_)
    if (link.dialled())
      ids.push_back(id);
  for (auto id : ids)
    if (auto found = links_.find(id); found != links_.end())
      read_dialled(id, found->second);
}

void zmq_transport::read_dialled(link_id id, zmq_link& link) {
  while (auto what = link.monitor.next())
    if (!dialled_event(id, link, *what))
      return;
  zeromq::message batch;
  for (int i = 0; i < messages_per_turn || link.gone; ++i) {
    if (!link.socket.receive(batch)) {
      if (link.gone)
        end(id, lost("the connection was lost"), false);
      return;
    }
    if (batch.more())
      return end(id, {errc::corrupt, "the server sent a message of several parts"}, true);
    if (batch.bytes().empty())
      return end(id, lost("the peer closed the link"), false);
    if (!deliver(id, batch.bytes(), link.socket.readable()))
      return;
  }
}

// False: the link has ended.
bool zmq_transport::dialled_event(link_id id, zmq_link& link, event what) {
  if (what.what == event::ready && !link.up) {
    link.up = true;
    send_on(link, {});
    receiver_->on_link_up(id, false, "key:" + options_.server);
    flush(id);
    return links_.contains(id);
  }
  if (what.what == event::accepted || what.what == event::ready)
    return true;
  if (link.up) {
    link.gone = true;
    return true;
  }
  if (what.what == event::refused)
    end(id,
        {errc::refused, "'" + link.endpoint + "' did not let key '" + options_.key + "' in; put "
                          + options_.key + ".public into its keys/authorized"},
        false);
  else
    end(id,
        {errc::unavailable, "no link to '" + link.endpoint
                              + "': nobody listens there, or its key is not that of '"
                              + options_.server + "'; check both"},
        false);
  return false;
}

// ---- links that others dialled

void zmq_transport::read_server() {
  if (!server_)
    return;
  read_server_events();
  zeromq::message route;
  zeromq::message body;
  for (int i = 0; i < messages_per_turn; ++i) {
    if (!server_->socket.receive(route)) {
      for (auto id : std::exchange(gone_, {})) {
        end(id, lost("the connection was lost"), false);
        forget(id);
      }
      return;
    }
    auto id = route.bytes();
    bool whole = route.more() && server_->socket.receive(body);
    if (whole)
      from_peer({reinterpret_cast<const char*>(id.data()), id.size()}, body);
    while (whole && body.more() && server_->socket.receive(body)) {
    }
  }
}

void zmq_transport::read_server_events() {
  while (auto what = server_->monitor.next()) {
    if (what->what == event::accepted)
      connections_.insert(what->connection);
    if (what->what != event::gone)
      continue;
    connections_.erase(what->connection);
    if (auto found = by_connection_.find(what->connection); found != by_connection_.end()) {
      gone_.insert(found->second);
      by_connection_.erase(found);
    }
  }
}

void zmq_transport::from_peer(const std::string& route, zeromq::message& body) {
  auto found = by_route_.find(route);
  if (found != by_route_.end() && links_.at(found->second).connection != body.connection()) {
    auto old = found->second; // the same routing id over another connection
    end(old, lost("the connection was lost"), false);
    forget(old);
    found = by_route_.end();
  }
  if (found == by_route_.end())
    return welcome(route, body);
  auto id = found->second;
  if (links_.at(id).ended)
    return;
  if (body.more())
    return end(id, {errc::corrupt, "the peer sent a message of several parts"}, true);
  if (body.bytes().empty())
    return end(id, lost("the peer closed the link"), false);
  deliver(id, body.bytes(), server_->socket.readable());
}

// The first message of a connection. Its descriptor may have belonged to another before, so what
// happened to connections until now is read first.
void zmq_transport::welcome(const std::string& route, zeromq::message& body) {
  auto connection = body.connection();
  read_server_events();
  if (!connections_.contains(connection) || links_.size() >= 2 * limits::links_max)
    return;
  if (auto old = by_connection_.find(connection); old != by_connection_.end()) {
    auto id = old->second;
    end(id, lost("the connection was lost"), false);
    forget(id);
  }
  auto id = next_link();
  auto& link = links_[id];
  link.route = route;
  link.connection = connection;
  by_route_.emplace(route, id);
  by_connection_.emplace(connection, id);
  auto user = body.user();
  bool valid = body.bytes().empty() && !body.more() && !user.empty();
  if (!valid || !outboxes_.open(id)) {
    log::warning("a link was refused",
                 {{"key", user}, {"reason", valid ? "too many links" : "no greeting"}});
    return end(id, {errc::refused, "the link was refused"}, true);
  }
  link.up = true;
  receiver_->on_link_up(id, true, "key:" + user);
}

// ---- both

// False: the link has ended.
bool zmq_transport::deliver(link_id id, std::span<const std::byte> batch, bool more) {
  if (reinterpret_cast<uintptr_t>(batch.data()) % alignof(uint64_t) != 0) {
    aligned_.resize((batch.size() + 7) / 8);
    std::memcpy(aligned_.data(), batch.data(), batch.size());
    batch = std::as_bytes(std::span{aligned_}).first(batch.size());
  }
  while (!batch.empty()) {
    auto size = framing::first_frame(batch);
    if (!size || *size == 0 || *size > batch.size()) {
      end(id, size ? error{errc::corrupt, "the peer sent a batch that is cut off"} : size.error(),
          true);
      return false;
    }
    receiver_->on_frame(id, framing::payload_of(batch), more || *size < batch.size());
    batch = batch.subspan(*size);
  }
  return true;
}

void zmq_transport::end(link_id id, const error& reason, bool say_bye) {
  auto found = links_.find(id);
  if (found == links_.end() || found->second.ended)
    return;
  auto& link = found->second;
  bool known = link.up || link.dialled();
  link.ended = true;
  link.unsent.clear();
  outboxes_.close(id);
  blocked_.erase(id);
  if (link.dialled()) {
    if (link.up)
      link.socket.send({});
    links_.erase(found);
  } else if (say_bye && send_on(link, {}) == sent::full) {
    link.bye_waits = true;
    blocked_.insert(id);
  }
  if (known)
    receiver_->on_link_down(id, reason);
}

// Removes what is left of an accepted link that has ended.
void zmq_transport::forget(link_id id) {
  auto found = links_.find(id);
  if (found == links_.end())
    return;
  by_route_.erase(found->second.route);
  if (auto old = by_connection_.find(found->second.connection);
      old != by_connection_.end() && old->second == id)
    by_connection_.erase(old);
  blocked_.erase(id);
  gone_.erase(id);
  links_.erase(found);
}

void zmq_transport::end_all() {
  for (auto& [id, link] : links_) {
    flush(id);
    outboxes_.close(id);
    if (link.up && !link.ended)
      send_on(link, {});
  }
  links_.clear();
  server_.reset();
  zap_.reset();
}

} // namespace

std::unique_ptr<transport> make_zmq_transport(zmq_options options) {
  return std::make_unique<zmq_transport>(std::move(options));
}

} // namespace troupe
