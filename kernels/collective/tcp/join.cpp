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

// Accepted connections that have not proven themselves, beside one for each rank.
constexpr size_t strangers_max = 64;
constexpr duration redial_interval = std::chrono::milliseconds(20);
constexpr duration look_interval = std::chrono::milliseconds(50); // whether it is called off

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

// The way to one other rank, until it is there.
class dialing {
public:
  dialing(const group_options& options, uint32_t to, address where)
    : options_(options), to_(to), where_(std::move(where)) {}

  uint32_t to() const { return to_; }
  bool done() const { return static_cast<bool>(socket_); }
  owned_fd take() { return std::move(socket_); }

  void advance() {
    if (done())
      return;
    if (!under_way_ && now() >= again_at_) {
      again_at_ = now() + redial_interval;
      connect_to();
    }
    if (!under_way_)
      return;
    auto state = under_way_->advance();
    if (state == progress::waiting)
      return;
    // An older member may still hold the port: its refusal is not the last word, but a silence
    // after it tells nothing more.
    if (state == progress::proven)
      socket_ = under_way_->take();
    else if (state == progress::refused)
      refused_ = true;
    under_way_.reset();
  }

  // What to wait for; nothing: until when.
  std::optional<pollfd> wanted(time_point& until) const {
    if (under_way_)
      return pollfd{under_way_->fd(), under_way_->wanted_events(), 0};
    if (!done())
      until = std::min(until, again_at_);
    return std::nullopt;
  }

  error late() const {
    auto rank = "rank " + std::to_string(to_) + " at " + where_.host + ":" + where_.port;
    if (refused_)
      return {errc::refused, rank
                               + " and this one do not prove the same secret and generation: this "
                               + "rank, or that one, is of an old attempt."};
    if (unknown_host_)
      return {errc::not_found, "the host of " + rank + " is not known: check the address."};
    return {errc::deadline, rank + " did not answer in time: check that it runs and is reachable."};
  }

private:
  void connect_to() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    unknown_host_ = getaddrinfo(where_.host.c_str(), where_.port.c_str(), &hints, &found) != 0;
    if (unknown_host_)
      return;
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
      under_way_.emplace(options_, std::move(made), to_);
    freeaddrinfo(found);
  }

  const group_options& options_;
  uint32_t to_;
  address where_;
  owned_fd socket_;
  std::optional<handshake> under_way_;
  time_point again_at_{};
  size_t attempts_ = 0;
  bool refused_ = false;
  bool unknown_host_ = false;
};

// One loop that dials all other ranks until they answer, and hears all that knock until each of
// them has proven itself.
class joining {
public:
  joining(const group_options& options, owned_fd listener, std::vector<dialing> others)
    : options_(options), listener_(std::move(listener)), others_(std::move(others)),
      incoming_(options.size) {}

  result<std::unique_ptr<mesh_link>> run(time_point until) {
    auto flags = fcntl(listener_.get(), F_GETFL);
    if (flags < 0 || fcntl(listener_.get(), F_SETFL, flags | O_NONBLOCK) < 0)
      return {errc::invalid, std::string("the listener of this rank is no open socket (")
                               + strerror(errno) + "): pass one that listens."};
    for (;;) {
      for (auto& each : others_)
        each.advance();
      TROUPE_TRY(hear());
      if (reached() && heard_ == others_.size())
        break;
      if (options_.called_off && options_.called_off())
        return {errc::aborted, "joining was called off: a later generation is there."};
      if (now() >= until)
        return late();
      wait(options_.called_off ? std::min(until, now() + look_interval) : until);
    }
    std::vector<owned_fd> outgoing(options_.size);
    for (auto& each : others_)
      outgoing[each.to()] = each.take();
    return std::make_unique<mesh_link>(std::move(outgoing), std::move(incoming_));
  }

private:
  bool reached() const {
    return std::all_of(others_.begin(), others_.end(), [](auto& each) { return each.done(); });
  }

  result<void> hear() {
    for (;;) {
      owned_fd made(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (made) {
        if (strangers_.size() == strangers_max + options_.size)
          strangers_.pop_front();
        strangers_.emplace_back(options_, std::move(made), std::nullopt);
        continue;
      }
      if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EMFILE
          || errno == ENFILE)
        return {errc::io, std::string("accepting other ranks failed (") + strerror(errno)
                            + "): check the listener and the limit of open files."};
      break;
    }
    for (auto each = strangers_.begin(); each != strangers_.end();) {
      auto state = each->advance();
      if (state == progress::proven) {
        // One that comes again has lost its first connection.
        auto& place = incoming_[each->from()];
        heard_ += place ? 0 : 1;
        place = each->take();
      }
      each = state == progress::waiting ? std::next(each) : strangers_.erase(each);
    }
    return {};
  }

  void wait(time_point until) {
    std::vector<pollfd> wanted{{listener_.get(), POLLIN, 0}};
    for (auto& each : strangers_)
      wanted.push_back({each.fd(), each.wanted_events(), 0});
    for (auto& each : others_)
      if (auto socket = each.wanted(until))
        wanted.push_back(*socket);
    poll(wanted.data(), wanted.size(), milliseconds_left(until));
  }

  error late() const {
    for (auto& each : others_)
      if (!each.done())
        return each.late();
    auto missing = std::find_if(others_.begin(), others_.end(),
                                [&](auto& each) { return !incoming_[each.to()]; });
    return {errc::deadline, "rank " + std::to_string(missing->to())
                              + " did not connect in time: check that it runs and reaches this "
                                "one."};
  }

  const group_options& options_;
  owned_fd listener_;
  std::vector<dialing> others_;
  std::vector<owned_fd> incoming_;
  size_t heard_ = 0;
  std::list<handshake> strangers_;
};

} // namespace

result<std::unique_ptr<mesh_link>> join(const group_options& options, owned_fd listener,
                                        const std::vector<std::string>& members, time_point until) {
  std::vector<dialing> others;
  for (uint32_t each = 1; each < options.size; ++each) {
    auto rank = (options.rank + each) % options.size; // not all of them the same one first
    auto where = parse(members[rank]);
    if (!where)
      return where.error();
    others.emplace_back(options, rank, std::move(*where));
  }
  return joining(options, std::move(listener), std::move(others)).run(until);
}

} // namespace troupe::collective::tcp
