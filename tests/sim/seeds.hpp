// Runs a workload over a range of seeds: 1..200 by default, or what TROUPE_SEEDS=FIRST:COUNT says.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace troupe::testing {

struct seed_range {
  uint64_t first;
  uint64_t count;
};

// What TROUPE_SEEDS says, or 1..seeds.
seed_range seeds_wanted(uint64_t seeds);

// Runs with a seed, adds what is wrong to `violations`, and returns the hash of its log.
using workload = std::function<uint64_t(uint64_t seed, std::vector<std::string>& violations)>;

// Every seed runs twice, and both logs must be the same. Stops at the first seed that fails, and
// says how to repeat it.
void run_seeds(const char* test, const workload& what, uint64_t seeds = 200);

} // namespace troupe::testing
