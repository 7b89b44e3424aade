// GPUs for tests, and what is said where there are none.
#pragma once

#include "kernels/cuda/plugin.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace troupe::test {

// 0: none, no driver, or no plug-in. CUDA is asked in a process of its own: a process that knows
// CUDA cannot fork.
int count_gpus();

// The plug-in beside the test; its absence is a failure of the test.
std::unique_ptr<cuda::plugin> open_gpus();

} // namespace troupe::test

// At the begin of a test.
#define TROUPE_NEEDS_GPUS(wanted, what)                                                            \
  if (auto found = ::troupe::test::count_gpus(); found < (wanted)) {                               \
    std::printf("SKIPPED: %s: %s\n", (what), found == 0 ? "no device" : "too few devices");        \
    GTEST_SKIP() << "skipped: " << (found == 0 ? "no device" : "too few devices");                 \
  }
