#include "storage/memory_store.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

using pairs = std::map<std::string, std::string, std::less<>>;

// What a scan visits: a copy, because the visitor may read the store.
using copies = std::vector<std::pair<std::string, std::string>>;

std::optional<std::string> find(const pairs& in, std::string_view key) {
  auto found = in.find(key);
  return found == in.end() ? std::nullopt : std::optional(found->second);
}

copies forwards(const pairs& in, std::string_view prefix, std::string_view from, size_t limit) {
  copies found;
  auto at = in.lower_bound(std::max(prefix, from));
  for (; at != in.end() && found.size() < limit && at->first.starts_with(prefix); ++at)
    found.emplace_back(*at);
  return found;
}

copies backwards(const pairs& in, std::string_view prefix, std::string_view below, size_t limit) {
  copies found;
  auto end = end_of_scan(prefix, below);
  auto at = end.empty() ? in.end() : in.lower_bound(end);
  while (at != in.begin() && found.size() < limit && (--at)->first.starts_with(prefix))
    found.emplace_back(*at);
  return found;
}

result<void> visit_all(const copies& found, const reader::visitor& visit) {
  for (const auto& [key, value] : found)
    if (!visit(key, value))
      break;
  return {};
}

} // namespace

class memory_store::held_pairs final : public reader {
public:
  explicit held_pairs(std::shared_ptr<const pairs> all) : all_(std::move(all)) {}

  result<std::optional<std::string>> get(std::string_view key) const override {
    return find(*all_, key);
  }

  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override {
    return visit_all(forwards(*all_, prefix, from, limit), visit);
  }

  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override {
    return visit_all(backwards(*all_, prefix, below, limit), visit);
  }

private:
  std::shared_ptr<const pairs> all_;
};

result<void> memory_store::commit(const batch& changes, durability wanted) {
  std::lock_guard lock(mutex_);
  if (visible_.use_count() > 1)
    visible_ = std::make_shared<pairs>(*visible_);
  apply(*visible_, changes);
  if (wanted == durability::buffered) {
    unsynced_.push_back(changes);
    return {};
  }
  for (const auto& x : unsynced_)
    apply(durable_, x);
  unsynced_.clear();
  apply(durable_, changes);
  ++syncs_;
  return {};
}

result<std::optional<std::string>> memory_store::get(std::string_view key) const {
  std::lock_guard lock(mutex_);
  return find(*visible_, key);
}

result<void> memory_store::scan(std::string_view prefix, std::string_view from, size_t limit,
                                const visitor& visit) const {
  std::unique_lock lock(mutex_);
  auto found = forwards(*visible_, prefix, from, limit);
  lock.unlock();
  return visit_all(found, visit);
}

result<void> memory_store::scan_back(std::string_view prefix, std::string_view below, size_t limit,
                                     const visitor& visit) const {
  std::unique_lock lock(mutex_);
  auto found = backwards(*visible_, prefix, below, limit);
  lock.unlock();
  return visit_all(found, visit);
}

std::unique_ptr<reader> memory_store::snapshot() const {
  std::lock_guard lock(mutex_);
  return std::make_unique<held_pairs>(visible_);
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
    apply(durable_, unsynced_[i]);
  unsynced_.clear();
  visible_ = std::make_shared<pairs>(durable_);
}

size_t memory_store::unsynced() const {
  std::lock_guard lock(mutex_);
  return unsynced_.size();
}

size_t memory_store::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

void memory_store::apply(pairs& to, const batch& changes) {
  for (const auto& x : changes.changes()) {
    switch (x.what) {
    case batch::kind::put:
      to[x.key] = x.value;
      break;
    case batch::kind::erase:
      to.erase(x.key);
      break;
    case batch::kind::erase_range:
      if (x.key < x.value)
        to.erase(to.lower_bound(x.key), to.lower_bound(x.value));
      break;
    }
  }
}

} // namespace troupe::storage
