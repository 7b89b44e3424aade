#include "tests/support/tcp_relay.hpp"

#include "runtime/base/assert.hpp"
#include "tests/support/loopback.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cstdint>

namespace troupe::testing {

namespace {

owned_fd connect_to(int port) {
  owned_fd out{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(static_cast<uint16_t>(port));
  if (::connect(out.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
    out.close();
  return out;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// So that closing it sends a reset.
void make_abrupt(int fd) {
  linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

} // namespace

tcp_relay::tcp_relay(int target_port) : target_(target_port) {
  auto listening = test::listen_at("127.0.0.1");
  listener_ = owned_fd{listening.fd};
  port_ = std::stoi(listening.address.substr(listening.address.find(':') + 1));
  ending_ = owned_fd{::eventfd(0, EFD_CLOEXEC)};
  TROUPE_ASSERT(ending_);
  threads_.emplace_back([this] { accept_all(); });
}

tcp_relay::~tcp_relay() {
  uint64_t one = 1;
  TROUPE_ASSERT(::write(ending_.get(), &one, sizeof one) == sizeof one);
  threads_.front().join(); // it alone adds others
  for (size_t i = 1; i < threads_.size(); ++i)
    threads_[i].join();
}

void tcp_relay::next(fault x, int times) {
  std::lock_guard lock{mutex_};
  faults_.insert(faults_.end(), static_cast<size_t>(times), x);
}

void tcp_relay::when_sent(uint64_t bytes, std::function<void()> act) {
  std::lock_guard lock{mutex_};
  act_at_ = sent_ + bytes;
  act_ = std::move(act);
}

void tcp_relay::accept_all() {
  std::array<pollfd, 2> waits{{{listener_.get(), POLLIN, 0}, {ending_.get(), POLLIN, 0}}};
  while (::poll(waits.data(), waits.size(), -1) > 0 && waits[1].revents == 0) {
    auto client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0)
      continue;
    ++connections_;
    threads_.emplace_back([this, client] { serve(owned_fd{client}); });
  }
}

void tcp_relay::serve(owned_fd client) {
  std::optional<fault> suffers;
  {
    std::lock_guard lock{mutex_};
    if (!faults_.empty()) {
      suffers = faults_.front();
      faults_.pop_front();
    }
  }
  if (suffers && (suffers->what == fault::kind::answer || suffers->what == fault::kind::stall)) {
    if (suffers->what == fault::kind::answer) {
      send_all(client.get(), suffers->text);
      ::shutdown(client.get(), SHUT_WR);
    }
    std::array<char, 65536> buffer;
    std::array<pollfd, 2> waits{{{client.get(), POLLIN, 0}, {ending_.get(), POLLIN, 0}}};
    while (::poll(waits.data(), waits.size(), -1) > 0 && waits[1].revents == 0)
      if (::recv(client.get(), buffer.data(), buffer.size(), 0) <= 0)
        return;
    return;
  }
  auto server = connect_to(target_);
  if (!server)
    return make_abrupt(client.get());
  carry(client.get(), server.get(), suffers ? &*suffers : nullptr);
}

void tcp_relay::carry(int client, int server, const fault* suffers) {
  std::array<char, 65536> buffer;
  std::array<uint64_t, 2> carried{};
  auto cuts_before = cuts_.load();
  std::array<pollfd, 3> waits{
    {{client, POLLIN, 0}, {server, POLLIN, 0}, {ending_.get(), POLLIN, 0}}};
  while (::poll(waits.data(), waits.size(), -1) > 0 && waits[2].revents == 0) {
    for (size_t from : {size_t{0}, size_t{1}}) {
      if (waits[from].revents == 0)
        continue;
      auto n = ::recv(waits[from].fd, buffer.data(), buffer.size(), 0);
      if (n <= 0)
        return n < 0 ? make_abrupt(waits[1 - from].fd) : void();
      auto size = static_cast<uint64_t>(n);
      auto cuts = suffers && from == (suffers->what == fault::kind::cut_request ? 0u : 1u)
                  && carried[from] + size >= suffers->bytes;
      if (cuts)
        size = suffers->bytes - carried[from];
      carried[from] += size;
      if (!send_all(waits[1 - from].fd, {buffer.data(), static_cast<size_t>(size)}))
        return make_abrupt(waits[from].fd);
      if (from == 0)
        count(size);
      if (cuts || cuts_ != cuts_before) {
        make_abrupt(client);
        return make_abrupt(server);
      }
    }
  }
}

void tcp_relay::count(uint64_t bytes) {
  sent_ += bytes;
  std::function<void()> act;
  {
    std::lock_guard lock{mutex_};
    if (act_ && sent_ >= act_at_)
      act = std::exchange(act_, nullptr);
  }
  if (act)
    act();
}

} // namespace troupe::testing
