#include "kernels/collective/tcp/handshake.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace troupe::collective::tcp {
namespace {

constexpr uint8_t welcome = 'w';

} // namespace

handshake::handshake(const group_options& options, owned_fd socket, std::optional<uint32_t> dialed)
  : options_(options), socket_(std::move(socket)),
    stage_(dialed ? stage::connecting : stage::awaits_hello), needed_(dialed ? 0 : sizeof(hello)) {
  hello_.to = dialed.value_or(0);
  int on = 1;
  // Only speed depends on it.
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

short handshake::wanted_events() const {
  return stage_ == stage::connecting || !out_.empty() ? POLLOUT : POLLIN;
}

void handshake::push(const void* bytes, size_t count) {
  auto* raw = static_cast<const uint8_t*>(bytes);
  out_.insert(out_.end(), raw, raw + count);
}

digest handshake::proof_of(std::string_view side) const {
  uint8_t bytes[sizeof(hello) + sizeof(digest)];
  memcpy(bytes, &hello_, sizeof(hello));
  memcpy(bytes + sizeof(hello), nonce_.data(), nonce_.size());
  return prove(options_.secret, side, bytes);
}

progress handshake::advance() {
  if (stage_ == stage::connecting) {
    pollfd ready{fd(), POLLOUT, 0};
    if (poll(&ready, 1, 0) == 0)
      return progress::waiting;
    int code = 0;
    socklen_t length = sizeof(code);
    if (getsockopt(fd(), SOL_SOCKET, SO_ERROR, &code, &length) != 0 || code != 0)
      return progress::broken;
    hello_.generation = options_.generation;
    hello_.from = options_.rank;
    hello_.size = options_.size;
    hello_.nonce = new_nonce();
    push(&hello_, sizeof(hello_));
    stage_ = stage::awaits_challenge;
    needed_ = sizeof(challenge);
  }
  for (;;) {
    if (auto state = flush(); state != progress::proven)
      return state;
    if (auto state = fill(); state != progress::proven)
      return state;
    auto finished = false;
    if (auto state = react(finished); state != progress::proven || finished)
      return state;
  }
}

// Proven: everything has been sent.
progress handshake::flush() {
  while (!out_.empty()) {
    auto sent = send(fd(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
      return errno == EAGAIN || errno == EINTR ? progress::waiting : progress::broken;
    out_.erase(out_.begin(), out_.begin() + sent);
  }
  return progress::proven;
}

// Proven: what this stage waits for is there as a whole.
progress handshake::fill() {
  while (in_.size() < needed_) {
    uint8_t bytes[sizeof(hello)];
    auto got = recv(fd(), bytes, needed_ - in_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return progress::waiting;
    // An accepting end that hangs up after our hello did not want it.
    if (got <= 0)
      return stage_ == stage::awaits_hello || (got < 0 && errno != ECONNRESET) ? progress::broken
                                                                               : progress::refused;
    in_.insert(in_.end(), bytes, bytes + got);
  }
  return progress::proven;
}

progress handshake::react(bool& finished) {
  auto fits = false;
  switch (stage_) {
  case stage::connecting:
    break;
  case stage::awaits_hello:
    fits = check_hello();
    stage_ = stage::awaits_answer;
    needed_ = sizeof(digest);
    break;
  case stage::awaits_challenge:
    fits = check_challenge();
    stage_ = stage::awaits_welcome;
    needed_ = sizeof(welcome);
    break;
  case stage::awaits_answer: {
    digest answer;
    memcpy(answer.data(), in_.data(), answer.size());
    fits = same(answer, proof_of("troupe tcp dial"));
    push(&welcome, sizeof(welcome));
    // One byte into an empty buffer: it goes now or never.
    if (fits && flush() != progress::proven)
      return progress::broken;
    finished = true;
    break;
  }
  case stage::awaits_welcome:
    fits = in_[0] == welcome;
    finished = true;
    break;
  }
  in_.clear();
  return fits ? progress::proven : progress::refused;
}

bool handshake::check_hello() {
  memcpy(&hello_, in_.data(), sizeof(hello_));
  if (hello_.magic != hello{}.magic || hello_.generation != options_.generation
      || hello_.from >= options_.size || hello_.from == options_.rank || hello_.to != options_.rank
      || hello_.size != options_.size)
    return false;
  nonce_ = new_nonce();
  challenge sent{nonce_, proof_of("troupe tcp accept")};
  push(&sent, sizeof(sent));
  return true;
}

bool handshake::check_challenge() {
  challenge got;
  memcpy(&got, in_.data(), sizeof(got));
  nonce_ = got.nonce;
  if (!same(got.proof, proof_of("troupe tcp accept")))
    return false;
  auto answer = proof_of("troupe tcp dial");
  push(answer.data(), answer.size());
  return true;
}

} // namespace troupe::collective::tcp
