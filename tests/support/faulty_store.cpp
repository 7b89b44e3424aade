#include "tests/support/faulty_store.hpp"

#include <chrono>

namespace troupe::storage {

void faulty_store::fail_after(size_t commits) {
  std::lock_guard lock(mutex_);
  good_commits_left_ = commits;
}

void faulty_store::mend() {
  fail_after(no_limit);
}

void faulty_store::hold() {
  std::lock_guard lock(mutex_);
  holding_ = true;
}

void faulty_store::release() {
  std::lock_guard lock(mutex_);
  holding_ = false;
  changed_.notify_all();
}

void faulty_store::drop_syncs(bool yes) {
  std::lock_guard lock(mutex_);
  dropping_ = yes;
}

size_t faulty_store::held() const {
  std::lock_guard lock(mutex_);
  return held_;
}

bool faulty_store::wait_until_held(size_t commits) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return held_ >= commits; });
}

result<void> faulty_store::commit(const batch& changes, durability wanted) {
  {
    std::unique_lock lock(mutex_);
    if (holding_) {
      ++held_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !holding_; });
      --held_;
    }
    if (good_commits_left_ == 0)
      return {errc::io, "cannot write to the store: No space left on device; the disk is full: "
                        "free some space and start again"};
    if (good_commits_left_ != no_limit)
      --good_commits_left_;
    if (dropping_)
      wanted = durability::buffered;
  }
  return target_.commit(changes, wanted);
}

result<std::optional<std::string>> faulty_store::get(std::string_view key) const {
  return target_.get(key);
}

result<void> faulty_store::scan(std::string_view prefix, std::string_view from, size_t limit,
                                const visitor& visit) const {
  return target_.scan(prefix, from, limit, visit);
}

result<void> faulty_store::scan_back(std::string_view prefix, std::string_view below, size_t limit,
                                     const visitor& visit) const {
  return target_.scan_back(prefix, below, limit, visit);
}

std::unique_ptr<reader> faulty_store::snapshot() const {
  return target_.snapshot();
}

} // namespace troupe::storage
