#include "runtime/outbox.hpp"

#include "runtime/framing.hpp"

#include <string>
#include <utility>

namespace troupe {

bool outboxes::open(link_id link) {
  std::lock_guard lock{mutex_};
  if (boxes_.size() >= limits::links_max)
    return false;
  boxes_.try_emplace(link);
  return true;
}

void outboxes::close(link_id link) {
  std::lock_guard lock{mutex_};
  boxes_.erase(link);
}

size_t outboxes::count() const {
  std::lock_guard lock{mutex_};
  return boxes_.size();
}

result<bool> outboxes::push(link_id link, std::span<const std::byte> frame) {
  if (frame.empty() || frame.size() > limits::frame_size_max)
    return {errc::invalid, "a frame has 1 to " + std::to_string(limits::frame_size_max)
                             + " bytes, this one has " + std::to_string(frame.size())
                             + "; send bulk data over its own channel"};
  auto size = framing::header_size + framing::padded(frame.size());
  std::lock_guard lock{mutex_};
  auto found = boxes_.find(link);
  if (found == boxes_.end())
    return {errc::node_lost, "the link has ended; connect again"};
  auto& own = found->second;
  if (own.bytes + size > limits::link_buffer_max)
    return {errc::queue_full,
            "the peer does not take what waits for it; send again when it has caught up"};
  if (own.batches.empty() || own.batches.back().size() + size > batch_size)
    own.batches.emplace_back();
  framing::append(own.batches.back(), frame);
  own.bytes += size;
  if (own.ready)
    return false;
  own.ready = true;
  ready_.push_back(link);
  return true;
}

std::vector<link_id> outboxes::take_ready() {
  std::lock_guard lock{mutex_};
  return std::exchange(ready_, {});
}

std::optional<std::vector<std::byte>> outboxes::pop(link_id link) {
  std::lock_guard lock{mutex_};
  auto found = boxes_.find(link);
  if (found == boxes_.end())
    return std::nullopt;
  auto& own = found->second;
  if (own.batches.empty()) {
    own.ready = false;
    return std::nullopt;
  }
  auto batch = std::move(own.batches.front());
  own.batches.pop_front();
  own.bytes -= batch.size();
  return batch;
}

} // namespace troupe
