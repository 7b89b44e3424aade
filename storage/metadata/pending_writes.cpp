#include "storage/metadata/pending_writes.hpp"

#include "storage/metadata/keys.hpp"

namespace troupe::storage {

void pending_writes::add(uint64_t number, const layer::values& writes) {
  for (const auto& [key, value] : writes) {
    if (!is_read_back(key))
      continue;
    if (value)
      all_.put(key, *value);
    else
      all_.erase(key);
    newest_.insert_or_assign(key, number);
    keys_[number].push_back(key);
  }
}

void pending_writes::settle(uint64_t number) {
  auto found = keys_.find(number);
  if (found == keys_.end())
    return;
  for (const auto& key : found->second) {
    auto newest = newest_.find(key);
    if (newest == newest_.end() || newest->second != number)
      continue;
    all_.forget(key);
    newest_.erase(newest);
  }
  keys_.erase(found);
}

void pending_writes::clear() {
  static_cast<void>(all_.take());
  newest_.clear();
  keys_.clear();
}

} // namespace troupe::storage
