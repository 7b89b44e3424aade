#include "storage/memory_store.hpp"

#include <algorithm>
#include <deque>
#include <set>

namespace troupe::storage {

namespace {

// What a scan visits: a copy, because the visitor may read the store.
using copies = std::vector<std::pair<std::string, std::string>>;

result<void> visit_all(const copies& found, const reader::visitor& visit) {
  for (const auto& [key, value] : found)
    if (!visit(key, value))
      break;
  return {};
}

// Calls `put(key, value)` and `erase(key)` for what a batch does to `keys`, a map.
template <class Map, class Put, class Erase>
void put_into(const batch& changes, Map& keys, Put put, Erase erase) {
  for (const auto& x : changes.changes()) {
    if (x.what == batch::kind::put) {
      put(x.key, x.value);
      continue;
    }
    auto at = keys.lower_bound(x.key);
    auto end = x.what == batch::kind::erase_range ? keys.lower_bound(std::max(x.key, x.value))
                                                  : keys.upper_bound(x.key);
    while (at != end)
      erase(at++);
  }
}

void put_into(const batch& changes, std::map<std::string, std::string, std::less<>>& to) {
  put_into(
    changes, to, [&](const auto& key, const auto& value) { to[key] = value; },
    [&](auto at) { to.erase(at); });
}

} // namespace

// Every value that the store or a snapshot of it can see. A commit costs what it changes, whatever
// the snapshots hold: the simulation commits some hundred thousand times with one held.
class memory_store::versions {
public:
  void commit(const batch& changes) {
    ++now_;
    put_into(
      changes, keys_,
      [&](const auto& key, const auto& value) {
        add(keys_[key], key, std::make_shared<const std::string>(value));
      },
      [&](auto at) { add(at->second, at->first, nullptr); });
    forget();
  }

  uint64_t hold() { return *held_.insert(now_); }
  void release(uint64_t time) { held_.erase(held_.find(time)); }
  uint64_t now() const { return now_; }

  std::optional<std::string> find(std::string_view key, uint64_t time) const {
    auto found = keys_.find(key);
    auto* value = found == keys_.end() ? nullptr : seen(found->second, time);
    return value ? std::optional(*value) : std::nullopt;
  }

  copies forwards(std::string_view prefix, std::string_view from, size_t limit,
                  uint64_t time) const {
    copies found;
    auto at = keys_.lower_bound(std::max(prefix, from));
    for (; at != keys_.end() && found.size() < limit && at->first.starts_with(prefix); ++at)
      if (auto* value = seen(at->second, time))
        found.emplace_back(at->first, *value);
    return found;
  }

  copies backwards(std::string_view prefix, std::string_view below, size_t limit,
                   uint64_t time) const {
    copies found;
    auto end = end_of_scan(prefix, below);
    auto at = end.empty() ? keys_.end() : keys_.lower_bound(end);
    while (at != keys_.begin() && found.size() < limit && (--at)->first.starts_with(prefix))
      if (auto* value = seen(at->second, time))
        found.emplace_back(at->first, *value);
    return found;
  }

private:
  struct version {
    uint64_t since = 0;
    std::shared_ptr<const std::string> value; // null: it was erased
  };

  static const std::string* seen(const std::vector<version>& all, uint64_t time) {
    for (auto at = all.rbegin(); at != all.rend(); ++at)
      if (at->since <= time)
        return at->value.get();
    return nullptr;
  }

  void add(std::vector<version>& to, const std::string& key,
           std::shared_ptr<const std::string> value) {
    if (!to.empty() && to.back().since == now_)
      to.back().value = std::move(value);
    else
      to.push_back({now_, std::move(value)});
    changed_.emplace_back(now_, key);
  }

  // Drops what neither the store nor a snapshot sees any longer.
  void forget() {
    auto oldest = held_.empty() ? now_ : *held_.begin();
    for (; !changed_.empty() && changed_.front().first <= oldest; changed_.pop_front()) {
      auto found = keys_.find(changed_.front().second);
      if (found == keys_.end())
        continue;
      auto& all = found->second;
      auto above = std::find_if(all.begin(), all.end(), [&](auto& x) { return x.since > oldest; });
      if (above != all.begin())
        all.erase(all.begin(), std::prev(above)->value ? std::prev(above) : above);
      if (all.empty())
        keys_.erase(found);
    }
  }

  uint64_t now_ = 0; // counts commits
  std::map<std::string, std::vector<version>, std::less<>> keys_;
  std::multiset<uint64_t> held_;
  std::deque<std::pair<uint64_t, std::string>> changed_; // since the oldest snapshot
};

class memory_store::held_view final : public reader {
public:
  // With the lock held.
  held_view(std::mutex& lock, std::shared_ptr<versions> all)
    : mutex_(lock), all_(std::move(all)), time_(all_->hold()) {}
  held_view(const held_view&) = delete;
  held_view& operator=(const held_view&) = delete;
  ~held_view() override {
    std::lock_guard lock(mutex_);
    all_->release(time_);
  }

  result<std::optional<std::string>> get(std::string_view key) const override {
    std::lock_guard lock(mutex_);
    return all_->find(key, time_);
  }

  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override {
    std::unique_lock lock(mutex_);
    auto found = all_->forwards(prefix, from, limit, time_);
    lock.unlock();
    return visit_all(found, visit);
  }

  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override {
    std::unique_lock lock(mutex_);
    auto found = all_->backwards(prefix, below, limit, time_);
    lock.unlock();
    return visit_all(found, visit);
  }

private:
  std::mutex& mutex_;
  std::shared_ptr<versions> all_;
  uint64_t time_;
};

memory_store::memory_store() : visible_(std::make_shared<versions>()) {}

result<void> memory_store::commit(const batch& changes, durability wanted) {
  std::lock_guard lock(mutex_);
  visible_->commit(changes);
  if (wanted == durability::buffered) {
    unsynced_.push_back(changes);
    return {};
  }
  for (const auto& x : unsynced_)
    put_into(x, durable_);
  unsynced_.clear();
  put_into(changes, durable_);
  ++syncs_;
  return {};
}

result<std::optional<std::string>> memory_store::get(std::string_view key) const {
  std::lock_guard lock(mutex_);
  return visible_->find(key, visible_->now());
}

result<void> memory_store::scan(std::string_view prefix, std::string_view from, size_t limit,
                                const visitor& visit) const {
  std::unique_lock lock(mutex_);
  auto found = visible_->forwards(prefix, from, limit, visible_->now());
  lock.unlock();
  return visit_all(found, visit);
}

result<void> memory_store::scan_back(std::string_view prefix, std::string_view below, size_t limit,
                                     const visitor& visit) const {
  std::unique_lock lock(mutex_);
  auto found = visible_->backwards(prefix, below, limit, visible_->now());
  lock.unlock();
  return visit_all(found, visit);
}

std::unique_ptr<reader> memory_store::snapshot() const {
  std::lock_guard lock(mutex_);
  return std::make_unique<held_view>(mutex_, visible_);
}

void memory_store::crash() {
  std::lock_guard lock(mutex_);
  crash_keeping(0);
}

void memory_store::crash(random_source& chance) {
  std::lock_guard lock(mutex_);
  crash_keeping(chance.below(unsynced_.size() + 1));
}

void memory_store::crash_keeping(size_t commits) {
  for (size_t i = 0; i < commits; ++i)
    put_into(unsynced_[i], durable_);
  unsynced_.clear();
  batch kept;
  for (const auto& [key, value] : durable_)
    kept.put(key, value);
  visible_ = std::make_shared<versions>();
  visible_->commit(kept);
}

size_t memory_store::unsynced() const {
  std::lock_guard lock(mutex_);
  return unsynced_.size();
}

size_t memory_store::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

} // namespace troupe::storage
