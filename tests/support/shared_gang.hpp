// A gang over shared memory whose ranks are threads of the test.
#pragma once

#include "kernels/collective/collective.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace troupe::test {

// Calls rank_of(group) in a thread for each rank; returns when all have ended. A later gang of one
// test has a later generation.
template <class F>
void in_a_gang(uint32_t size, uint64_t generation, const F& rank_of) {
  std::vector<std::thread> threads;
  auto name = "troupe_test_" + std::to_string(getpid()) + "_" + std::to_string(generation);
  for (uint32_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      collective::group_options options;
      options.rank = rank;
      options.size = size;
      options.generation = generation;
      options.secret = "of this test";
      auto gang = collective::join_shm(options, name);
      ASSERT_TRUE(gang) << gang.error().text;
      rank_of(**gang);
    });
  for (auto& each : threads)
    each.join();
}

} // namespace troupe::test
