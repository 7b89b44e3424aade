#include "runtime/bulk_server.hpp"

#include "runtime/base/limits.hpp"
#include "runtime/base/log.hpp"
#include "runtime/local_socket.hpp"
#include "runtime/tcp_socket.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <thread>

namespace troupe {

namespace {

constexpr std::string_view tls_scheme = "tls:";
constexpr auto proof_patience = std::chrono::seconds(5);
constexpr int accept_pause_ms = 100; // when the process has no descriptor left

struct connection {
  explicit connection(int fd) : socket(std::make_shared<bulk_socket>(fd)) {}

  std::shared_ptr<bulk_socket> socket;
  std::thread thread;
  bool proven = false;
  bool finished = false; // the last that its thread writes
};

struct offer_entry {
  bulk_secret secret{};
  std::shared_ptr<bulk_source> source; // this or
  std::shared_ptr<bulk_sink> sink;     // that
  uint64_t size = 0;
  time_point expires{};
  connection* user = nullptr;
};

error unknown_ticket() {
  return {errc::refused, "the ticket of the bulk transfer is unknown, spent or expired; ask for a "
                         "new one"};
}

class server final : public bulk_server {
public:
  server(std::string endpoint, int listener, bulk_server_options options)
    : endpoint_(std::move(endpoint)), listener_(listener), options_(std::move(options)),
      acceptor_([this] { accept_all(); }) {}

  ~server() override { stop(); }

  result<bulk_ticket> offer(std::shared_ptr<bulk_source> source, duration lifetime) override {
    offer_entry made;
    made.size = source->size();
    made.source = std::move(source);
    return add(std::move(made), lifetime);
  }

  result<bulk_ticket> expect(std::shared_ptr<bulk_sink> sink, uint64_t size,
                             duration lifetime) override {
    offer_entry made;
    made.size = size;
    made.sink = std::move(sink);
    return add(std::move(made), lifetime);
  }

  void withdraw(uint64_t id) override {
    std::lock_guard guard{mutex_};
    auto i = offers_.find(id);
    if (i == offers_.end())
      return;
    if (i->second.user)
      i->second.user->socket->shut_down();
    offers_.erase(i);
  }

  const std::string& endpoint() const override { return endpoint_; }

  size_t transfers() const override {
    std::lock_guard guard{mutex_};
    return transfers_;
  }

  void stop() override {
    {
      std::lock_guard guard{mutex_};
      stopping_ = true;
      listener_.shut_down();
      for (auto& each : connections_)
        each.socket->shut_down();
    }
    if (!acceptor_.joinable())
      return;
    acceptor_.join();
    for (auto& each : connections_)
      each.thread.join();
    connections_.clear();
    if (!over_tls())
      unlink_local(endpoint_);
  }

private:
  bool over_tls() const { return endpoint_.starts_with(tls_scheme); }

  time_point now() const { return options_.time ? options_.time->now() : system_clock{}.now(); }

  result<bulk_ticket> add(offer_entry made, duration lifetime) {
    if (made.size > limits::bulk_size_max)
      return {errc::invalid, "content of " + std::to_string(made.size) + " bytes; at most "
                               + std::to_string(limits::bulk_size_max)
                               + " travel in one bulk transfer, split it"};
    made.secret = new_bulk_secret();
    made.expires = now() + lifetime;
    std::lock_guard guard{mutex_};
    drop_expired();
    if (stopping_)
      return {errc::unavailable, "the bulk server was stopped; ask a running one"};
    if (offers_.size() >= limits::bulk_offers_max)
      return {errc::queue_full, "too many bulk tickets wait to be used; try again later"};
    bulk_ticket ticket{++last_id_, made.secret, endpoint_, made.size};
    offers_.emplace(ticket.id, std::move(made));
    return ticket;
  }

  void drop_expired() {
    std::erase_if(offers_, [t = now()](const auto& each) {
      return each.second.expires <= t && each.second.user == nullptr;
    });
  }

  std::optional<bulk_secret> secret_of(uint64_t id) {
    std::lock_guard guard{mutex_};
    drop_expired();
    auto i = offers_.find(id);
    if (i == offers_.end() || i->second.expires <= now())
      return std::nullopt;
    return i->second.secret;
  }

  void accept_all() {
    for (;;) {
      wait_for(listener_.fd(), POLLIN, time_point::max());
      auto fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        ::poll(nullptr, 0, accept_pause_ms);
      if (!admit(fd))
        return;
    }
  }

  // Starts a connection's thread; false when the server stops.
  bool admit(int fd) {
    for (auto& each : make_room())
      each.thread.join();
    std::lock_guard guard{mutex_};
    if (fd < 0)
      return !stopping_;
    auto& made = connections_.emplace_back(fd);
    if (stopping_ || (!over_tls() && !principal_of(fd)))
      connections_.pop_back();
    else
      made.thread = std::thread([this, &made] { serve(made); });
    return !stopping_;
  }

  // Takes out the connections that have ended, and the oldest stranger where there are too many.
  std::list<connection> make_room() {
    std::list<connection> ended;
    std::lock_guard guard{mutex_};
    size_t strangers = 0;
    auto oldest = connections_.end();
    for (auto i = connections_.begin(); i != connections_.end();) {
      auto each = i++;
      if (each->finished) {
        ended.splice(ended.end(), connections_, each);
      } else if (!each->proven && strangers++ == 0) {
        oldest = each;
      }
    }
    if (strangers >= limits::bulk_strangers_max) {
      oldest->socket->shut_down();
      ended.splice(ended.end(), connections_, oldest);
    }
    return ended;
  }

  void serve(connection& with) {
    auto proven = prove(with);
    if (proven)
      transfer(with, *proven);
    else
      log::debug("bulk connection refused", {{"reason", proven.error().text}});
    with.socket->shut_down();
    std::lock_guard guard{mutex_};
    with.finished = true;
  }

  result<proven_bulk> prove(connection& with) {
    auto until = system_clock{}.now() + proof_patience;
    if (over_tls())
      return tls_accept(
        with.socket, [this](uint64_t id) { return secret_of(id); }, until);
    auto channel = std::make_unique<bulk_channel>(with.socket);
    bulk_hello hello;
    TROUPE_TRY(channel->read(std::as_writable_bytes(std::span{&hello, 1}), until));
    if (hello.magic != bulk_hello{}.magic)
      return {errc::corrupt, "a stranger sent bytes that are no bulk transfer"};
    auto secret = secret_of(hello.id);
    if (secret && same(*secret, hello.secret))
      return proven_bulk{std::move(channel), hello.id};
    bulk_refuse(*channel, unknown_ticket());
    return unknown_ticket();
  }

  void transfer(connection& with, const proven_bulk& proven) {
    auto what = claim(with, proven.id);
    if (!what)
      return bulk_refuse(*proven.channel, what.error());
    bulk_options options{options_.chunk_deadline, {}};
    auto outcome = what->source ? bulk_send(*proven.channel, *what->source, options)
                                : bulk_receive(*proven.channel, *what->sink, what->size, options);
    if (!outcome)
      log::warning("bulk transfer failed",
                   {{"ticket", proven.id}, {"reason", outcome.error().text}});
    release(with, proven.id, static_cast<bool>(outcome));
  }

  // The newest connection of a ticket is the one that counts: the one before it may be dead without
  // our knowledge.
  result<offer_entry> claim(connection& with, uint64_t id) {
    std::unique_lock lock{mutex_};
    auto entry = offers_.find(id);
    if (entry != offers_.end() && entry->second.user)
      entry->second.user->socket->shut_down();
    auto free = [&] {
      entry = offers_.find(id);
      return entry == offers_.end() || entry->second.user == nullptr;
    };
    if (!released_.wait_for(lock, proof_patience, free))
      return {errc::unavailable, "another transfer of this ticket is under way; try again later"};
    if (entry == offers_.end())
      return unknown_ticket();
    if (transfers_ >= limits::bulk_transfers_max)
      return {errc::queue_full,
              "the bulk server has too many transfers under way; try again later"};
    ++transfers_;
    with.proven = true;
    entry->second.user = &with;
    return entry->second;
  }

  void release(connection& with, uint64_t id, bool spent) {
    std::lock_guard guard{mutex_};
    --transfers_;
    with.proven = false;
    if (auto entry = offers_.find(id); entry != offers_.end()) {
      entry->second.user = nullptr;
      if (spent)
        offers_.erase(entry);
    }
    released_.notify_all();
  }

  const std::string endpoint_;
  bulk_socket listener_;
  const bulk_server_options options_;
  mutable std::mutex mutex_; // guards all below but the thread
  std::condition_variable released_;
  std::map<uint64_t, offer_entry> offers_;
  uint64_t last_id_ = 0;
  std::list<connection> connections_;
  size_t transfers_ = 0;
  bool stopping_ = false;
  std::thread acceptor_;
};

} // namespace

result<std::unique_ptr<bulk_server>> start_bulk_server(const std::string& endpoint,
                                                       bulk_server_options options) {
  auto tls = endpoint.starts_with(tls_scheme);
  auto fd = tls ? listen_tcp(endpoint.substr(tls_scheme.size())) : listen_local(endpoint);
  if (!fd)
    return fd.error();
  auto where = tls ? endpoint.substr(0, endpoint.rfind(':') + 1) + port_of(*fd) : endpoint;
  return std::make_unique<server>(where, *fd, options);
}

} // namespace troupe
