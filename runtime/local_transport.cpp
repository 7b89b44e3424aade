#include "runtime/local_transport.hpp"

#include "runtime/local_link.hpp"
#include "runtime/local_socket.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

namespace troupe {

namespace {

constexpr uint64_t wake_tag = 0;
constexpr uint64_t listener_tag_first = uint64_t{1} << 63;

error system_error(const std::string& what) {
  return {errc::io, what + ": " + std::strerror(errno)};
}

class local_transport final : public transport {
public:
  ~local_transport() override { stop(); }

  result<void> start(transport_receiver& receiver) override {
    receiver_ = &receiver;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_ < 0 || wake_ < 0)
      return system_error("cannot start the local transport");
    watch(wake_, wake_tag, EPOLLIN);
    thread_ = std::thread([this] { run(); });
    return {};
  }

  result<std::string> listen(const std::string& endpoint) override {
    auto fd = listen_local(endpoint);
    if (!fd)
      return fd.error();
    std::unique_lock guard{mutex_};
    auto tag = listener_tag_first + listeners_.size();
    listeners_.push_back({*fd, endpoint});
    watch(*fd, tag, EPOLLIN);
    return endpoint;
  }

  result<link_id> connect(const std::string& endpoint) override {
    auto fd = connect_local(endpoint);
    if (!fd)
      return fd.error();
    return adopt(*fd, false);
  }

  result<void> send(link_id link, frame_view frame, urgency when) override {
    if (frame.empty() || frame.size() > limits::frame_size_max)
      return {errc::invalid, "a message of " + std::to_string(frame.size()) + " bytes; at most "
                               + std::to_string(limits::frame_size_max) + " fit in a frame"};
    auto target = find(link);
    if (!target)
      return {errc::node_lost, "the link has ended"};
    auto sent = target->send(frame, when);
    if (!sent)
      return sent.error();
    if (*sent == local_link::after_send::must_flush)
      ask([this, target] { flush(target); });
    return {};
  }

  void close(link_id link) override {
    ask([this, link] { end(link, {errc::aborted, "the link was closed"}); });
  }

  void stop() override {
    if (!thread_.joinable())
      return;
    stopping_ = true;
    wake();
    thread_.join();
    links_.clear();
    for (auto& [fd, endpoint] : listeners_) {
      ::close(fd);
      unlink_local(endpoint);
    }
    ::close(wake_);
    ::close(epoll_);
  }

private:
  using link_ptr = std::shared_ptr<local_link>;

  struct listener {
    int fd;
    std::string endpoint;
  };

  // A link's events lead to it without a search; it lives as long as the events that were taken.
  static uint64_t tag_of(const local_link& link) { return reinterpret_cast<uint64_t>(&link); }

  void watch(int fd, uint64_t tag, uint32_t events, int operation = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    ::epoll_ctl(epoll_, operation, fd, &event);
  }

  link_ptr find(link_id link) {
    std::shared_lock guard{mutex_};
    auto i = links_.find(link);
    return i != links_.end() ? i->second : nullptr;
  }

  result<link_id> adopt(int fd, bool accepted) {
    auto principal = principal_of(fd);
    if (!principal) {
      ::close(fd);
      return principal.error();
    }
    link_ptr made;
    {
      std::unique_lock guard{mutex_};
      if (links_.size() >= limits::links_max) {
        ::close(fd);
        return {errc::queue_full, "too many connections"};
      }
      made = std::make_shared<local_link>(link_id{++last_link_}, fd, accepted, *principal);
      links_.emplace(made->id, made);
    }
    ask([this, made] {
      receiver_->on_link_up(made->id, made->accepted, made->principal);
      watch(made->fd(), tag_of(*made), EPOLLIN);
    });
    return made->id;
  }

  // Hands work to the transport's thread.
  void ask(std::function<void()> work) {
    bool first = false;
    {
      std::lock_guard guard{work_mutex_};
      first = work_.empty();
      work_.push_back(std::move(work));
    }
    if (first)
      wake();
  }

  void wake() {
    uint64_t one = 1;
    [[maybe_unused]] auto n = ::write(wake_, &one, sizeof(one));
  }

  void run() {
    std::array<epoll_event, 64> events{};
    while (!stopping_) {
      ended_.clear();
      auto count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count && !stopping_; ++i)
        on_event(events[static_cast<size_t>(i)]);
    }
  }

  void on_event(const epoll_event& event) {
    auto tag = event.data.u64;
    if (tag == wake_tag)
      return do_work();
    if (tag >= listener_tag_first)
      return accept_all(static_cast<size_t>(tag - listener_tag_first));
    auto& link = *reinterpret_cast<local_link*>(tag);
    if (event.events & EPOLLOUT)
      if (auto known = find(link.id))
        flush(known);
    auto readable = (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    if (readable && (ended_.empty() || find(link.id)))
      if (auto got = link.receive(*receiver_, shared_); !got)
        end(link.id, got.error());
  }

  void do_work() {
    uint64_t count = 0;
    [[maybe_unused]] auto n = ::read(wake_, &count, sizeof(count));
    std::vector<std::function<void()>> now;
    {
      std::lock_guard guard{work_mutex_};
      now.swap(work_);
    }
    for (auto& each : now)
      each();
  }

  void accept_all(size_t index) {
    int from = -1;
    {
      std::shared_lock guard{mutex_};
      from = listeners_[index].fd;
    }
    for (;;) {
      auto fd = ::accept4(from, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0)
        return;
      [[maybe_unused]] auto adopted = adopt(fd, true); // a refused peer sees its connection closed
    }
  }

  void flush(const link_ptr& link) {
    if (!find(link->id))
      return;
    auto all = link->flush();
    if (!all)
      return end(link->id, all.error());
    watch(link->fd(), tag_of(*link), *all ? EPOLLIN : EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }

  void end(link_id id, const error& reason) {
    link_ptr link;
    {
      std::unique_lock guard{mutex_};
      auto i = links_.find(id);
      if (i == links_.end())
        return;
      link = std::move(i->second);
      links_.erase(i);
    }
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, link->fd(), nullptr);
    link->shut_down();
    ended_.push_back(std::move(link));
    receiver_->on_link_down(id, reason);
  }

  transport_receiver* receiver_ = nullptr;
  int epoll_ = -1;
  int wake_ = -1;
  std::thread thread_;
  std::vector<link_ptr> ended_;                                   // since events were last taken
  std::vector<uint64_t> shared_ = std::vector<uint64_t>(8 << 10); // what links read into
  std::atomic<bool> stopping_ = false;
  std::shared_mutex mutex_; // guards links_, listeners_, last_link_
  std::unordered_map<link_id, link_ptr> links_;
  std::vector<listener> listeners_;
  uint64_t last_link_ = 0;
  std::mutex work_mutex_;
  std::vector<std::function<void()>> work_;
};

} // namespace

std::unique_ptr<transport> make_local_transport() {
  return std::make_unique<local_transport>();
}

} // namespace troupe
