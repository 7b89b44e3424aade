#include "runtime/zmq_transport.hpp"

#include "runtime/keys.hpp"
#include "runtime/outbox.hpp"
#include "runtime/zap.hpp"
#include "runtime/zmq_loop.hpp"
#include "runtime/zmq_socket.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace troupe {
namespace {

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
  void wake();
  void run();

  zmq_options options_;
  key_pair keys_;
  int wake_;
  std::atomic<uint64_t> last_link_{0};
  std::atomic<bool> running_{false};
  outboxes outboxes_;
  zeromq::context context_; // outlives every socket
  std::mutex mutex_;        // of the two below
  zmq_loop::orders orders_;
  bool listens_ = false;
  std::optional<zmq_loop> loop_; // of the thread, while it runs
  std::thread thread_;
};

// ---- any thread -----------------------------------------------------------------------------

result<void> zmq_transport::start(transport_receiver& receiver) {
  TROUPE_ASSERT(!loop_);
  auto keys = load_keys(options_.directory, options_.key);
  if (!keys)
    return keys.error();
  auto zap = zap_handler::open(context_, options_.directory);
  if (!zap)
    return zap.error();
  keys_ = std::move(*keys);
  loop_.emplace(options_, std::move(*zap), outboxes_, last_link_, receiver, wake_);
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
  orders_.listen.emplace(zmq_loop::server{std::move(*socket), std::move(*monitor)});
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
  auto id = link_id{last_link_.fetch_add(1) + 1};
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
  loop_.reset();
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
  for (;;) {
    uint64_t count = 0;
    while (::read(wake_, &count, sizeof count) < 0 && errno == EINTR) {
    }
    std::unique_lock lock{mutex_};
    auto now = std::exchange(orders_, {});
    lock.unlock();
    if (now.stop)
      break;
    loop_->turn(std::move(now));
    loop_->wait();
  }
  loop_->end_all();
}

} // namespace

std::unique_ptr<transport> make_zmq_transport(zmq_options options) {
  return std::make_unique<zmq_transport>(std::move(options));
}

} // namespace troupe
