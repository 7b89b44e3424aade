#include "storage/commit_queue.hpp"

#include <iterator>

namespace troupe::storage {

commit_queue::commit_queue(store& target, commit_queue_limits bounds)
  : target_(target), limits_(bounds), writer_([this] { write_until_stopped(); }) {}

commit_queue::~commit_queue() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  writer_.join();
}

result<void> commit_queue::submit(batch changes, done then) {
  {
    std::lock_guard lock(mutex_);
    auto bytes = changes.bytes();
    if (waiting_bytes_ > 0 && waiting_bytes_ + bytes > limits_.waiting_max)
      return {errc::queue_full, "the store has " + std::to_string(waiting_bytes_)
                                  + " bytes waiting to be written; try again when some are"};
    waiting_bytes_ += bytes;
    waiting_.push_back({std::move(changes), std::move(then)});
  }
  work_.notify_one();
  return {};
}

commit_stats commit_queue::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

void commit_queue::write_until_stopped() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty())
        return;
    }
    auto group = take_group();
    auto committed = write(group);
    for (auto& x : group)
      x.then(committed);
  }
}

std::vector<commit_queue::entry> commit_queue::take_group() {
  std::lock_guard lock(mutex_);
  size_t count = 0;
  size_t bytes = 0;
  while (count < waiting_.size()) {
    auto next = waiting_[count].changes.bytes();
    if (count > 0 && bytes + next > limits_.group_max)
      break;
    bytes += next;
    ++count;
  }
  waiting_bytes_ -= bytes;
  auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<entry> group(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return group;
}

result<void> commit_queue::write(std::vector<entry>& group) {
  if (failed_.code != errc::ok)
    return stopped_by(failed_);
  batch all;
  for (auto& x : group)
    all.append(std::move(x.changes));
  auto committed = target_.commit(all, durability::synced);
  if (!committed) {
    failed_ = committed.error();
    return committed;
  }
  std::lock_guard lock(mutex_);
  stats_.batches += group.size();
  ++stats_.commits;
  return committed;
}

} // namespace troupe::storage
