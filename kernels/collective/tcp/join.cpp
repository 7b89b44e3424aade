#include "kernels/collective/tcp/handshake.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <optional>

namespace troupe::collective::tcp {
namespace {

constexpr size_t strangers_max = 64; // accepted connections that have not proven themselves
constexpr duration redial_interval = std::chrono::milliseconds(20);

struct address {
  std::string host;
  std::string port;
};

result<address> parse(const std::string& member) {
  auto colon = member.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == member.size())
    return {errc::invalid, "'" + member + "' is no address of a rank: write host:port."};
  address out{member.substr(0, colon), member.substr(colon + 1)};
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  return out;
}

// The ring's join: one loop that dials the next rank until it answers, and hears all that knock
// until one of them proves to be the previous rank.
class joining {
public:
  joining(const group_options& options, owned_fd listener, address next)
    : options_(options), listener_(std::move(listener)), next_address_(std::move(next)) {}

  result<std::unique_ptr<ring_link>> run(time_point until) {
    auto flags = fcntl(listener_.get(), F_GETFL);
    if (flags < 0 || fcntl(listener_.get(), F_SETFL, flags | O_NONBLOCK) < 0)
      return {errc::invalid, std::string("the listener of the ring is no open socket (")
                               + strerror(errno) + "): pass one that listens."};
    while (!next_ || !previous_) {
      dial();
      if (auto heard = hear(); !heard)
        return heard.error();
      if (next_ && previous_)
        break;
      if (now() >= until)
        return late();
      wait(until);
    }
    return std::make_unique<ring_link>(std::move(next_), std::move(previous_));
  }

private:
  void dial() {
    if (next_)
      return;
    if (!dialed_ && now() >= redial_at_) {
      redial_at_ = now() + redial_interval;
      connect_next();
    }
    if (!dialed_)
      return;
    auto state = dialed_->advance();
    if (state == progress::waiting)
      return;
    // An older member may still hold the port: its refusal is not the last word, but a silence
    // after it tells nothing more.
    if (state == progress::proven) {
      next_ = dialed_->take();
      refused_ = false;
    } else if (state == progress::refused) {
      refused_ = true;
    }
    dialed_.reset();
  }

  void connect_next() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(next_address_.host.c_str(), next_address_.port.c_str(), &hints, &found) != 0) {
      unknown_host_ = true;
      return;
    }
    unknown_host_ = false;
    size_t count = 0;
    for (auto* each = found; each; each = each->ai_next)
      ++count;
    // One address an attempt, in turn: a name may have some at which nobody listens.
    auto* chosen = found;
    for (auto skip = attempts_++ % count; skip > 0; --skip)
      chosen = chosen->ai_next;
    owned_fd made(socket(chosen->ai_family, chosen->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (made
        && (connect(made.get(), chosen->ai_addr, chosen->ai_addrlen) == 0 || errno == EINPROGRESS))
      dialed_.emplace(options_, std::move(made), true);
    freeaddrinfo(found);
  }

  result<void> hear() {
    while (!previous_) {
      owned_fd made(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (made) {
        if (strangers_.size() == strangers_max)
          strangers_.pop_front();
        strangers_.emplace_back(options_, std::move(made), false);
        continue;
      }
      if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EMFILE
          || errno == ENFILE)
        return {errc::io, std::string("accepting in the ring failed (") + strerror(errno)
                            + "): check the listener and the limit of open files."};
      break;
    }
    for (auto each = strangers_.begin(); each != strangers_.end() && !previous_;) {
      auto state = each->advance();
      if (state == progress::proven)
        previous_ = each->take();
      each = state == progress::waiting ? std::next(each) : strangers_.erase(each);
    }
    if (previous_)
      strangers_.clear();
    return {};
  }

  void wait(time_point until) {
    std::vector<pollfd> wanted;
    if (!previous_)
      wanted.push_back({listener_.get(), POLLIN, 0});
    for (auto& each : strangers_)
      wanted.push_back({each.fd(), each.wanted_events(), 0});
    if (dialed_)
      wanted.push_back({dialed_->fd(), dialed_->wanted_events(), 0});
    auto limit = dialed_ || next_ ? until : std::min(until, redial_at_);
    poll(wanted.data(), wanted.size(), milliseconds_left(limit));
  }

  error late() const {
    auto next = next_address_.host + ":" + next_address_.port;
    if (refused_)
      return {errc::refused, "the next rank at " + next + " and this one do not prove the same "
                               + "secret and generation: this rank, or that one, is of an old "
                               + "attempt."};
    if (unknown_host_)
      return {errc::not_found,
              "the host of the next rank, " + next + ", is not known: check the address."};
    if (!next_)
      return {errc::deadline, "the next rank at " + next
                                + " did not answer in time: check that it runs and is reachable."};
    return {errc::deadline, "the previous rank did not connect in time: check that it runs and "
                            "reaches this one."};
  }

  const group_options& options_;
  owned_fd listener_;
  address next_address_;
  owned_fd next_;
  owned_fd previous_;
  std::optional<handshake> dialed_;
  std::list<handshake> strangers_;
  time_point redial_at_{};
  size_t attempts_ = 0;
  bool refused_ = false;
  bool unknown_host_ = false;
};

} // namespace

result<std::unique_ptr<ring_link>> join(const group_options& options, owned_fd listener,
                                        const std::vector<std::string>& members, time_point until) {
  auto next = parse(members[(options.rank + 1) % options.size]);
  if (!next)
    return next.error();
  return joining(options, std::move(listener), std::move(*next)).run(until);
}

} // namespace troupe::collective::tcp
