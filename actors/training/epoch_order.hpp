// In which order the samples of an epoch are used.
#pragma once

#include <cstdint>
#include <vector>

namespace troupe::training {

// All samples in the order of the epoch: a permutation that depends on seed and epoch only. A step
// of any number of ranks takes the next ones of it.
std::vector<uint32_t> epoch_order(uint32_t samples, uint64_t seed, uint64_t epoch);

} // namespace troupe::training
