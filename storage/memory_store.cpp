#include "storage/memory_store.hpp"

#include <algorithm>

namespace troupe::storage {

result<void> memory_store::commit(const batch& changes, durability wanted) {
  std::lock_guard lock(mutex_);
  apply(visible_, changes);
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
  auto found = visible_.find(key);
  if (found == visible_.end())
    return std::nullopt;
  return found->second;
}

result<void> memory_store::scan(std::string_view prefix, std::string_view from, size_t limit,
                                const visitor& visit) const {
  std::vector<std::pair<std::string, std::string>> found; // a copy: the visitor may read the store
  {
    std::lock_guard lock(mutex_);
    auto at = visible_.lower_bound(std::max(prefix, from));
    for (; at != visible_.end() && found.size() < limit && at->first.starts_with(prefix); ++at)
      found.emplace_back(*at);
  }
  for (const auto& [key, value] : found)
    if (!visit(key, value))
      break;
  return {};
}

result<void> memory_store::scan_back(std::string_view prefix, std::string_view below, size_t limit,
                                     const visitor& visit) const {
  std::vector<std::pair<std::string, std::string>> found; // a copy: the visitor may read the store
  {
    std::lock_guard lock(mutex_);
    auto end = end_of_scan(prefix, below);
    auto at = end.empty() ? visible_.end() : visible_.lower_bound(end);
    while (at != visible_.begin() && found.size() < limit && (--at)->first.starts_with(prefix))
      found.emplace_back(*at);
  }
  for (const auto& [key, value] : found)
    if (!visit(key, value))
      break;
  return {};
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
  visible_ = durable_;
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
