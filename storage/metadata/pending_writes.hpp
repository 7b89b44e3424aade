// What is on its way to the disk, over the store: a change set is checked against it, so that it
// need not wait for the one before.
// Threads: one at a time.
#pragma once

#include "storage/metadata/layer.hpp"

#include <vector>

namespace troupe::storage {

class pending_writes {
public:
  // `under` outlives this.
  explicit pending_writes(const reader& under) : all_(under) {}

  // These are on their way under that number; numbers only grow. Keys that no change set reads back
  // are left out.
  void add(uint64_t number, const layer::values& writes);

  // They are in the store.
  void settle(uint64_t number);

  // Nothing is on its way.
  void clear();

  const reader& all() const noexcept { return all_; }

private:
  layer all_;
  std::map<std::string, uint64_t, std::less<>> newest_; // the number that wrote a key last
  std::map<uint64_t, std::vector<std::string>> keys_;
};

} // namespace troupe::storage
