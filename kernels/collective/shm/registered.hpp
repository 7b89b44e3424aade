// Memory of the ranks that all of them see: what lies in it is reduced where it is.
//
// Each rank makes a file without a name (memfd) and opens those of the others by their processes.
// Where a rank cannot (another user, another pid namespace), all get memory of their own.
// Threads: as the region's meet().
#pragma once

#include "kernels/collective/shm/link.hpp"

namespace troupe::collective::shm {

class mapping;

class registry {
public:
  registry(region& meets, uint32_t rank, uint32_t ranks);
  ~registry();

  // Called by all ranks with the same number of bytes, after they have met for it. No memory: a
  // rank could not share its own.
  result<std::unique_ptr<memory>> allocate(size_t bytes, time_point until);

  // The number of the memory in which a row lies, and its offset there; 0: in none.
  uint64_t place_of(const input& row);

  // Where another rank has what this one has in `row`, which lies in one. Never null.
  std::byte* row_of(uint32_t rank, const input& row);

private:
  mapping* holding(const input& row);

  region& meets_;
  const uint32_t rank_;
  const uint32_t ranks_;
  uint64_t made_ = 0;
  std::vector<std::weak_ptr<mapping>> all_; // those that are in use, newest last
};

} // namespace troupe::collective::shm
