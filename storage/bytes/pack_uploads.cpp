#include "storage/bytes/pack_uploads.hpp"

#include <algorithm>
#include <utility>

namespace troupe::storage {

pack_uploads::pack_uploads(object_store& into, unsigned at_once)
  : into_(into), at_once_(std::max(at_once, 1u)) {}

pack_uploads::~pack_uploads() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& each : threads_)
    each.join();
}

result<void> pack_uploads::submit(built_pack pack) {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return waiting_.size() < at_once_ || !outcome_; });
  if (!outcome_)
    return outcome_;
  waiting_.push_back(std::move(pack));
  if (threads_.size() < at_once_)
    threads_.emplace_back([this] { work(); });
  changed_.notify_all();
  return {};
}

result<std::vector<pack_section>> pack_uploads::finish(std::optional<built_pack> last) {
  if (last)
    put(std::move(*last));
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return (waiting_.empty() && busy_ == 0) || !outcome_; });
  if (!outcome_)
    return outcome_.error();
  return std::exchange(done_, {});
}

void pack_uploads::work() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || (!waiting_.empty() && outcome_); });
    if (stopping_)
      return;
    auto pack = std::move(waiting_.front());
    waiting_.pop_front();
    ++busy_;
    lock.unlock();
    changed_.notify_all();
    put(std::move(pack));
    lock.lock();
    --busy_;
    changed_.notify_all();
  }
}

void pack_uploads::put(built_pack pack) {
  auto done = into_.put(pack_object(pack.section.name), pack.bytes);
  std::lock_guard lock{mutex_};
  if (done)
    done_.push_back(std::move(pack.section));
  else if (outcome_)
    outcome_ = done;
}

} // namespace troupe::storage
