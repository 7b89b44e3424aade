#include "actors/training/epoch_order.hpp"

#include "runtime/base/random.hpp"

#include <numeric>
#include <utility>

namespace troupe::training {

std::vector<uint32_t> epoch_order(uint32_t samples, uint64_t seed, uint64_t epoch) {
  // The seed goes through the generator first, or neighbouring seeds and epochs would meet.
  random_source random{random_source{seed}.next() ^ epoch};
  std::vector<uint32_t> order(samples);
  std::iota(order.begin(), order.end(), 0U);
  for (size_t i = samples; i > 1; --i)
    std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

} // namespace troupe::training
