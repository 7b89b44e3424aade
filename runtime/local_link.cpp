#include "runtime/local_link.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace troupe {

namespace {

constexpr size_t batch_size = 32 << 10; // bytes that are worth a system call of their own
constexpr size_t read_size = 64 << 10;

// Not zeroed: what is never read into costs no memory.
std::unique_ptr<uint64_t[]> make_buffer(size_t bytes) {
  return std::make_unique_for_overwrite<uint64_t[]>((bytes + sizeof(uint64_t) - 1)
                                                    / sizeof(uint64_t));
}

} // namespace

local_link::local_link(link_id id_, int fd, bool accepted_, std::string principal_)
  : id(id_), accepted(accepted_), principal(std::move(principal_)), fd_(fd) {}

local_link::~local_link() {
  ::close(fd_);
}

result<local_link::after_send> local_link::send(frame_view frame, urgency when) {
  std::lock_guard guard{mutex_};
  if (out_.size() - written_ + frame.size() > limits::link_buffer_max)
    return {errc::queue_full, "the peer does not read: " + std::to_string(out_.size() - written_)
                                + " bytes wait for it"};
  framing::append(out_, frame);
  auto waiting = out_.size() - written_;
  if (when == urgency::now || (waiting >= batch_size && !flush_asked_)) {
    auto all = flush_locked();
    if (!all)
      return all.error();
    if (*all)
      return after_send::done;
  }
  if (std::exchange(flush_asked_, true))
    return after_send::done;
  return after_send::must_flush;
}

result<bool> local_link::flush() {
  std::lock_guard guard{mutex_};
  flush_asked_ = false;
  auto all = flush_locked();
  if (all && !*all)
    flush_asked_ = true;
  return all;
}

result<bool> local_link::flush_locked() {
  while (written_ < out_.size()) {
    auto n
      = ::send(fd_, out_.data() + written_, out_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      break;
    if (n < 0)
      return {errc::node_lost, "the peer closed the connection"};
    written_ += static_cast<size_t>(n);
  }
  auto all = written_ == out_.size();
  if (all || written_ >= limits::link_buffer_max / 4) {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(written_));
    written_ = 0;
  }
  return all;
}

result<void> local_link::receive(transport_receiver& receiver, std::span<uint64_t> shared) {
  auto bytes = reinterpret_cast<std::byte*>(in_ ? in_.get() : shared.data());
  auto size = in_ ? in_size_ : shared.size_bytes();
  auto n = ::recv(fd_, bytes + in_end_, size - in_end_, MSG_DONTWAIT);
  if (n == 0)
    return {errc::node_lost, "the peer closed the connection"};
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
      return {};
    return {errc::node_lost, "the connection broke"};
  }
  std::span<const std::byte> rest{bytes, in_end_ + static_cast<size_t>(n)};
  size_t wanted = 0;
  for (;;) {
    auto whole = framing::first_frame(rest);
    if (!whole)
      return whole.error();
    wanted = *whole;
    if (wanted == 0 || wanted > rest.size())
      break;
    auto payload = framing::payload_of(rest);
    rest = rest.subspan(wanted);
    receiver.on_frame(id, payload, rest.size() >= framing::header_size);
  }
  keep(rest, wanted);
  return {};
}

// What there is of a frame moves to the front of a buffer that will hold all of it.
void local_link::keep(std::span<const std::byte> part, size_t whole) {
  in_end_ = part.size();
  if (part.empty()) {
    in_.reset();
  } else if (!in_ || in_size_ < whole) {
    in_size_ = std::max(read_size, whole);
    auto next = make_buffer(in_size_);
    std::memcpy(next.get(), part.data(), part.size());
    in_ = std::move(next);
  } else {
    std::memmove(in_.get(), part.data(), part.size());
  }
}

void local_link::shut_down() {
  ::shutdown(fd_, SHUT_RDWR);
}

} // namespace troupe
