// The lineage that the benchmarks lineage_write and lineage_query write: execution number i reads
// three artifacts of executions not long before it, and writes two. The scripts have the same.
#pragma once

#include <cstdint>

namespace troupe::bench {

inline constexpr uint64_t inputs_of_each = 3;
inline constexpr uint64_t outputs_of_each = 2;
inline constexpr uint64_t window = 20; // how many executions back an input may come from

// The number of the artifact, from 0, that execution i (from 0) reads as its j-th; artifacts 0 and
// 1 are there before any execution.
inline uint64_t input_of(uint64_t i, uint64_t j) {
  if (i < window)
    return j % outputs_of_each;
  auto from = i - 1 - (i * 7 + j * 11) % window;
  return outputs_of_each * (from + 1) + j % outputs_of_each;
}

} // namespace troupe::bench
