#include "runtime/peer_link.hpp"

#include "runtime/base/limits.hpp"
#include "runtime/base/period.hpp"
#include "runtime/trace.hpp"

#include <caf/actor_clock.hpp>
#include <caf/actor_system.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <cstring>

namespace troupe {

namespace {

// A number that stands in a sealed frame until the frame is stamped.
constexpr uint64_t unstamped = ~uint64_t{0};

constexpr uint64_t credit_step = limits::one_way_window / 4;

// Of all links: thousands that are idle need no memory of their own, and what is used stays warm.
flatbuffers::FlatBufferBuilder& builder() {
  thread_local flatbuffers::FlatBufferBuilder one;
  return one;
}

} // namespace

peer_link::peer_link(caf::actor_system& system, transport& carrier, link_id id, bool accepted,
                     std::string principal, const bridge_options& options)
  : system_(system), carrier_(carrier), id_(id), accepted_(accepted),
    principal_(std::move(principal)), options_(options), one_way_credit_(limits::one_way_window),
    last_heard_ns_(now().time_since_epoch().count()) {}

time_point peer_link::now() const {
  return system_.scheduler().clock().now();
}

void peer_link::introduce(peer who) {
  std::lock_guard guard{mutex_};
  to_life_ = who.life.value;
  who_ = std::move(who);
}

envelope_head peer_link::head_locked() const {
  envelope_head head;
  head.sequence = unstamped;
  head.handled = unstamped;
  head.sender = node_named(options_.name).value;
  head.incarnation = options_.life.value;
  head.to_incarnation = to_life_;
  return head;
}

result<void> peer_link::send(const std::string& actor, const signature& how,
                             const caf::mailbox_element& what, const proxy_options& options) {
  std::lock_guard guard{mutex_};
  if (ended_)
    return *ended_;
  auto one_way = !what.mid.is_request();
  if (!one_way && open_.size() >= limits::requests_in_flight_max)
    return {errc::queue_full, std::to_string(open_.size())
                                + " requests to this node are unanswered; "
                                  "wait for some of them"};
  auto head = head_locked();
  head.actor = actor;
  head.trace = trace::current_or_new();
  if (!one_way) {
    head.request = ++last_request_;
    head.budget_ns = options.deadline.count();
  }
  auto frame = seal(builder(), head, *how.in, what.content());
  if (frame.size() > limits::frame_size_max)
    return {errc::invalid, "a message of " + std::to_string(frame.size())
                             + " bytes is too large for a frame; "
                               "send bulk data over its own channel"};
  TROUPE_TRY(dispatch_locked(frame, one_way ? urgency::soon : urgency::now, one_way));
  if (one_way)
    return {};
  waits_ = true;
  open_.emplace(head.request, open_request{what.sender, what.mid, how.out, now() + options.deadline,
                                           options.replies});
  return {};
}

result<void> peer_link::dispatch_locked(frame_view frame, urgency when, bool one_way) {
  auto mutable_frame = std::span{const_cast<std::byte*>(frame.data()), frame.size()};
  auto credit = !one_way || one_way_sent_ < one_way_credit_;
  if (held_.empty() && credit) {
    if (one_way)
      ++one_way_sent_;
    return write_locked(mutable_frame, when);
  }
  if (held_bytes_ + frame.size() > limits::held_bytes_max)
    return {errc::queue_full,
            "the peer does not keep up: " + std::to_string(held_bytes_) + " bytes wait for it"};
  held_bytes_ += frame.size();
  waits_ = true;
  held_.push_back({{frame.begin(), frame.end()}, when, one_way});
  return {};
}

result<void> peer_link::write_locked(std::span<std::byte> frame, urgency when) {
  auto handled = handled_.load(std::memory_order_relaxed);
  handled_told_.store(handled, std::memory_order_relaxed);
  stamp(frame, sent_ + 1, handled);
  TROUPE_TRY(carrier_.send(id_, frame, when));
  ++sent_;
  sent_bytes_ += frame.size();
  last_sent_ = now();
  return {};
}

void peer_link::release_held_locked() {
  while (!held_.empty()) {
    auto& first = held_.front();
    if (first.one_way && one_way_sent_ >= one_way_credit_)
      return;
    if (!write_locked(first.bytes, first.when))
      return; // the transport is full or the link is ending; the next credit or the end comes
    one_way_sent_ += first.one_way ? 1 : 0;
    held_bytes_ -= first.bytes.size();
    held_.pop_front();
  }
}

void peer_link::answer(uint64_t request, const message_codec& codec,
                       const caf::type_erased_tuple& content) {
  std::unique_lock guard{mutex_};
  if (ended_)
    return;
  auto head = head_locked();
  head.request = request;
  head.reply = true;
  auto frame = seal(builder(), head, codec, content);
  auto sent = frame.size() <= limits::frame_size_max
                ? write_locked({const_cast<std::byte*>(frame.data()), frame.size()}, urgency::now)
                : result<void>{errc::invalid, "the answer is too large for a frame"};
  guard.unlock();
  if (sent || &codec == &codec_of<failure_msg>)
    return;
  failure_msg why;
  why.code = static_cast<uint8_t>(sent.error().code);
  why.text = sent.error().text;
  answer(request, codec_of<failure_msg>, caf::make_message(std::move(why)));
}

void peer_link::send_plain(const message_codec& codec, const caf::message& content) {
  std::lock_guard guard{mutex_};
  if (ended_)
    return;
  auto frame = seal(builder(), head_locked(), codec, content);
  // A full transport drops nothing but this heartbeat or credit: the next one says the same.
  [[maybe_unused]] auto sent
    = write_locked({const_cast<std::byte*>(frame.data()), frame.size()}, urgency::now);
}

void peer_link::beat() {
  static const auto message = caf::make_message(heartbeat_msg{});
  send_plain(codec_of<heartbeat_msg>, message);
}

void peer_link::one_way_handled() {
  auto handled = handled_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (handled % credit_step == 0)
    send_plain(codec_of<credit_msg>, caf::make_message(credit_msg{}));
}

void peer_link::add_to(bridge_statistics& total) {
  std::lock_guard guard{mutex_};
  total.requests_open += open_.size();
  total.held_bytes += held_bytes_;
  total.frames_in += received_;
  total.frames_out += sent_;
  total.bytes_in += received_bytes_;
  total.bytes_out += sent_bytes_;
}

peer_link::order peer_link::count(const envelope& frame, size_t bytes) {
  last_heard_ns_.store(now().time_since_epoch().count(), std::memory_order_relaxed);
  if (frame.sequence() <= received_)
    return order::repeated;
  if (frame.sequence() != received_ + 1)
    return order::gap;
  ++received_;
  auto credit = frame.handled() + limits::one_way_window;
  std::lock_guard guard{mutex_};
  received_bytes_ += bytes;
  if (credit > one_way_credit_ && frame.handled() <= one_way_sent_) {
    one_way_credit_ = credit;
    release_held_locked();
  }
  return order::next;
}

std::optional<open_request> peer_link::take(uint64_t request) {
  std::lock_guard guard{mutex_};
  auto i = open_.find(request);
  if (i == open_.end())
    return std::nullopt;
  auto found = std::move(i->second);
  open_.erase(i);
  return found;
}

// An answer may take longer than a heartbeat: that the peer says nothing is asked about, too.
bool peer_link::beats_locked(time_point now) const {
  if (handled_ != handled_told_)
    return true;
  if (accepted_)
    return false;
  auto whose = node_named(options_.name);
  return period_of(whose, now, options_.heartbeat)
         != period_of(whose, std::min(last_sent_, last_heard()), options_.heartbeat);
}

bool peer_link::due(time_point now) const {
  return !accepted_ || waits_ || handled_ != handled_told_ || silent(now);
}

std::vector<open_request> peer_link::on_tick(time_point time) {
  std::vector<open_request> overdue;
  bool beats = false;
  {
    std::lock_guard guard{mutex_};
    if (ended_)
      return overdue;
    std::erase_if(open_, [&](auto& each) {
      if (each.second.due > time)
        return false;
      overdue.push_back(std::move(each.second));
      return true;
    });
    release_held_locked();
    waits_ = !open_.empty() || !held_.empty();
    beats = beats_locked(time);
  }
  if (beats)
    beat();
  return overdue;
}

time_point peer_link::last_heard() const {
  return time_point{duration{last_heard_ns_.load(std::memory_order_relaxed)}};
}

bool peer_link::silent(time_point time) const {
  return time - last_heard() > options_.silence_max;
}

std::optional<std::vector<open_request>> peer_link::end(const error& reason) {
  std::lock_guard guard{mutex_};
  if (ended_)
    return std::nullopt;
  ended_ = reason;
  std::vector<open_request> result;
  for (auto& [id, request] : open_)
    result.push_back(std::move(request));
  open_.clear();
  held_.clear();
  held_bytes_ = 0;
  return result;
}

bool peer_link::add_proxy(const caf::strong_actor_ptr& proxy) {
  std::lock_guard guard{mutex_};
  if (ended_)
    return false;
  std::erase_if(proxies_, [](auto& weak) { return !weak.lock(); });
  proxies_.emplace_back(proxy.get());
  return true;
}

std::vector<caf::strong_actor_ptr> peer_link::proxies() {
  std::lock_guard guard{mutex_};
  std::vector<caf::strong_actor_ptr> alive;
  for (auto& weak : proxies_)
    if (auto strong = weak.lock())
      alive.push_back(std::move(strong));
  return alive;
}

} // namespace troupe
