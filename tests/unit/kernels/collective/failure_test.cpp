// Groups of 2 to 16 ranks after one of them has gone, has ended the group or calls something else.
#include "tests/support/gpu.hpp"
#include "tests/unit/kernels/collective/gang.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <thread>

namespace troupe::collective::test {
namespace {

using namespace std::chrono_literals;

std::vector<gang_shape> pairs() {
  auto out = sampled_shapes();
  std::erase_if(out, [](auto& each) { return each.ranks != 2; });
  return out;
}

class Failure : public testing::TestWithParam<gang_shape> {};

INSTANTIATE_TEST_SUITE_P(All, Failure, testing::ValuesIn(sampled_shapes()),
                         [](auto& each) { return name_of(each.param); });

TEST(FailureOverNccl, IsAmongTheseWhereThereAreFourGpus) {
  TROUPE_NEEDS_GPUS(4, "failures of ranks over NCCL");
}

TEST_P(Failure, AbortFromAnotherThreadEndsARunningOperationEverywhere) {
  std::atomic<uint32_t> failed = 0;
  run_threads(
    GetParam(),
    [&](group& g) {
      // Rank 0 never comes: the others wait in the barrier until it aborts.
      if (g.rank() == 0) {
        std::thread([&] { g.abort(); }).join();
        auto later = g.barrier();
        ASSERT_FALSE(later);
        EXPECT_EQ(later.error().code, errc::aborted);
        return;
      }
      auto done = g.barrier();
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, errc::aborted);
      ++failed;
    },
    30s);
  EXPECT_EQ(failed, GetParam().ranks - 1);
}

// Looks until it sees something; for 20 s.
result<void> look_for_long(group& g) {
  auto until = system_clock{}.now() + 20s;
  result<void> seen;
  while (seen && system_clock{}.now() < until)
    seen = g.look();
  return seen;
}

TEST_P(Failure, ALookFindsAKilledRankThatNoOperationNeeds) {
  process_gang gang(GetParam(), 30s, [](group& g, int progress) {
    if (!g.look() || !g.barrier())
      return 98;
    char byte = 'x';
    if (write(progress, &byte, 1) != 1)
      return 99;
    auto seen = look_for_long(g);
    return seen ? 0 : static_cast<int>(seen.error().code);
  });
  auto ranks = GetParam().ranks;
  ASSERT_TRUE(gang.await_progress(ranks));
  gang.signal(ranks - 1, SIGKILL);
  for (uint32_t r = 0; r + 1 < ranks; ++r)
    EXPECT_EQ(gang.await_exit(r), static_cast<int>(errc::aborted)) << "rank " << r;
}

TEST_P(Failure, ALookFindsAnAbortAndIsAsFinalAsAnOperation) {
  run_threads(
    GetParam(),
    [&](group& g) {
      EXPECT_TRUE(g.barrier());
      if (g.rank() == 1) {
        g.abort();
        return;
      }
      auto seen = look_for_long(g);
      ASSERT_FALSE(seen);
      EXPECT_EQ(seen.error().code, errc::aborted);
      auto later = g.barrier();
      ASSERT_FALSE(later);
      EXPECT_EQ(later.error().text, seen.error().text);
    },
    30s);
}

TEST_P(Failure, AbortEndsTheOwnOperationThatWaits) {
  std::atomic<bool> leave = false;
  run_threads(
    GetParam(),
    [&](group& g) {
      if (g.rank() == 0) {
        leave.wait(false);
        return;
      }
      if (g.rank() != 1) {
        EXPECT_FALSE(g.barrier());
        return;
      }
      std::atomic<bool> entering = false;
      std::thread other([&] {
        entering.wait(false);
        g.abort();
      });
      entering = true;
      entering.notify_one();
      auto done = g.barrier();
      other.join();
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, errc::aborted);
      leave = true;
      leave.notify_one();
    },
    30s);
}

TEST_P(Failure, ARankThatLeavesEndsTheOthers) {
  run_threads(
    GetParam(),
    [&](group& g) {
      std::vector<float> mine(10, 1.0f);
      EXPECT_TRUE(g.allreduce(mine, reduction::sum));
      if (g.rank() == 1)
        return;
      auto done = g.allreduce(mine, reduction::sum);
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, errc::aborted);
    },
    30s);
}

TEST_P(Failure, AfterAnErrorEveryOperationFailsAtOnce) {
  run_threads(
    GetParam(),
    [&](group& g) {
      if (g.rank() == 0)
        g.abort();
      std::vector<float> mine(10, 1.0f);
      auto first = g.barrier();
      ASSERT_FALSE(first);
      EXPECT_FALSE(g.allreduce(mine, reduction::sum));
      EXPECT_FALSE(g.broadcast(mine, 0));
      auto last = g.barrier();
      ASSERT_FALSE(last);
      EXPECT_EQ(last.error().text, first.error().text);
    },
    30s);
}

TEST_P(Failure, DifferentOperationsAreAnErrorAndNotAWrongSum) {
  run_threads(
    GetParam(),
    [](group& g) {
      std::vector<float> mine(g.rank() == 1 ? 11 : 10, 1.0f);
      auto done = g.allreduce(mine, reduction::sum);
      // Two neighbours see it; the others may only see that the group ended.
      EXPECT_FALSE(done);
    },
    30s);
  run_threads(GetParam(), [](group& g) {
    std::vector<float> mine(10, 1.0f);
    EXPECT_FALSE(g.rank() == 0 ? g.barrier() : g.broadcast(mine, 0));
  });
}

TEST_P(Failure, AnotherTypeOfElementIsAnErrorToo) {
  run_threads(GetParam(), [](group& g) {
    std::vector<float> floats(10);
    std::vector<int32_t> numbers(10);
    auto done = g.rank() == 0 ? g.broadcast(floats, 0) : g.broadcast(numbers, 0);
    EXPECT_TRUE(!done || g.rank() == 0); // the root needs nobody
    EXPECT_FALSE(g.barrier());
  });
}

class Waiting : public testing::TestWithParam<gang_shape> {};

INSTANTIATE_TEST_SUITE_P(All, Waiting, testing::ValuesIn(pairs()),
                         [](auto& each) { return name_of(each.param); });

// Waiting is passive: the cores belong to those that compute.
TEST_P(Waiting, TakesNoProcessorTime) {
  process_gang gang(GetParam(), 1s, [](group& g, int) {
    if (g.rank() == 0) {
      pause();
      return 0;
    }
    auto done = g.barrier();
    auto used = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    return done || used > 0.2 ? 1 : 0;
  });
  EXPECT_EQ(gang.await_exit(1), 0);
}

} // namespace
} // namespace troupe::collective::test
