// Which samples a rank sees in an epoch, and in which order.
#pragma once

#include <cstdint>
#include <vector>

namespace troupe::training {

// All samples in the order of the epoch: a permutation that depends on seed and epoch only.
std::vector<uint32_t> epoch_order(uint32_t samples, uint64_t seed, uint64_t epoch);

// Each sample is in exactly one rank's shard; the sizes differ by at most one. Ranks take turns in
// the epoch's order: so the gang's step k, with a batch of b on each of w ranks, sees the samples
// of one rank with a batch of b * w.
std::vector<uint32_t> shard(uint32_t samples, uint64_t seed, uint64_t epoch, uint32_t rank,
                            uint32_t world_size);

} // namespace troupe::training
