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
using seconds = std::chrono::duration<double>;

seconds elapsed_since(time_point start) {
  return system_clock{}.now() - start;
}

class Failure : public testing::TestWithParam<backend> {};

std::vector<backend> backends() {
  std::vector<backend> out{backend::shm, backend::tcp, backend::hierarchical};
  if (troupe::test::count_gpus() >= 4)
    out.push_back(backend::nccl);
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, Failure, testing::ValuesIn(backends()),
                         [](auto& each) { return name_of(each.param); });

TEST(FailureOverNccl, IsAmongTheseWhereThereAreFourGpus) {
  TROUPE_NEEDS_GPUS(4, "failures of ranks over NCCL");
}

// Reduces until it fails; the exit code is the error's. Each operation is reported as a byte.
int reduce_until_error(group& g, int progress) {
  std::vector<float> mine(20'000, 1.0f);
  for (;;) {
    auto done = g.allreduce(mine, reduction::mean);
    if (!done)
      return static_cast<int>(done.error().code);
    char byte = 'x';
    if (write(progress, &byte, 1) != 1)
      return 99;
  }
}

// The same with reduces to, and broadcasts from, each rank in turn, of few bytes and of many.
int pass_until_error(group& g, int progress) {
  for (uint32_t turn = 0;; ++turn) {
    std::vector<float> mine(turn % 2 == 0 ? 100 : 200'000, 1.0f);
    auto root = turn / 2 % g.size();
    auto done = g.reduce(mine, mine, reduction::mean, root);
    if (done)
      done = g.broadcast(mine, root);
    if (!done)
      return static_cast<int>(done.error().code);
    char byte = 'x';
    if (write(progress, &byte, 1) != 1)
      return 99;
  }
}

TEST_P(Failure, AKilledRankEndsTheOthersLongBeforeTheDeadline) {
  struct scenario {
    uint32_t victim;
    process_gang::body_type body;
  };
  for (auto& [victim, body] : {scenario{0, reduce_until_error},
                               {2, reduce_until_error},
                               {0, pass_until_error},
                               {2, pass_until_error}}) {
    process_gang gang({GetParam(), 4}, 30s, body);
    ASSERT_TRUE(gang.await_progress(200));
    auto start = system_clock{}.now();
    gang.signal(victim, SIGKILL);
    for (uint32_t r = 0; r < 4; ++r) {
      if (r == victim)
        continue;
      EXPECT_EQ(gang.await_exit(r), static_cast<int>(errc::aborted)) << "rank " << r;
    }
    EXPECT_LT(elapsed_since(start), 10s);
  }
}

TEST_P(Failure, AStoppedRankEndsTheOthersByTheDeadline) {
  process_gang gang({GetParam(), 3}, 1500ms, reduce_until_error);
  ASSERT_TRUE(gang.await_progress(100));
  auto start = system_clock{}.now();
  gang.signal(1, SIGSTOP);
  auto late = 0;
  for (uint32_t r : {0u, 2u}) {
    auto code = gang.await_exit(r);
    // One rank's clock runs out first; the other may learn it from that one.
    EXPECT_TRUE(code == static_cast<int>(errc::deadline) || code == static_cast<int>(errc::aborted))
      << code;
    late += code == static_cast<int>(errc::deadline);
  }
  EXPECT_GE(late, 1);
  EXPECT_GT(elapsed_since(start), 1s);
  EXPECT_LT(elapsed_since(start), 10s);
  gang.signal(1, SIGCONT);
  EXPECT_NE(gang.await_exit(1), 0);
}

TEST_P(Failure, AbortFromAnotherThreadEndsARunningOperationEverywhere) {
  std::atomic<uint32_t> failed = 0;
  auto start = system_clock{}.now();
  run_threads(
    {GetParam(), 3},
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
  EXPECT_EQ(failed, 2u);
  EXPECT_LT(elapsed_since(start), 10s);
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
  process_gang gang({GetParam(), 4}, 30s, [](group& g, int progress) {
    if (!g.look() || !g.barrier())
      return 98;
    char byte = 'x';
    if (write(progress, &byte, 1) != 1)
      return 99;
    auto seen = look_for_long(g);
    return seen ? 0 : static_cast<int>(seen.error().code);
  });
  ASSERT_TRUE(gang.await_progress(4));
  gang.signal(2, SIGKILL);
  for (uint32_t r : {0u, 1u, 3u})
    EXPECT_EQ(gang.await_exit(r), static_cast<int>(errc::aborted)) << "rank " << r;
}

TEST_P(Failure, ALookFindsAnAbortAndIsAsFinalAsAnOperation) {
  run_threads(
    {GetParam(), 3},
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
    {GetParam(), 2},
    [&](group& g) {
      if (g.rank() == 0) {
        leave.wait(false);
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
  auto start = system_clock{}.now();
  run_threads(
    {GetParam(), 3},
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
  EXPECT_LT(elapsed_since(start), 10s);
}

TEST_P(Failure, AfterAnErrorEveryOperationFailsAtOnce) {
  run_threads(
    {GetParam(), 2},
    [&](group& g) {
      if (g.rank() == 0)
        g.abort();
      std::vector<float> mine(10, 1.0f);
      auto first = g.barrier();
      ASSERT_FALSE(first);
      auto start = system_clock{}.now();
      EXPECT_FALSE(g.allreduce(mine, reduction::sum));
      EXPECT_FALSE(g.broadcast(mine, 0));
      auto last = g.barrier();
      ASSERT_FALSE(last);
      EXPECT_EQ(last.error().code, first.error().code);
      EXPECT_LT(elapsed_since(start), 1s);
    },
    30s);
}

TEST_P(Failure, DifferentOperationsAreAnErrorAndNotAWrongSum) {
  run_threads(
    {GetParam(), 3},
    [](group& g) {
      std::vector<float> mine(g.rank() == 1 ? 11 : 10, 1.0f);
      auto done = g.allreduce(mine, reduction::sum);
      // Two neighbours see it; the third may only see that the group ended.
      EXPECT_FALSE(done);
    },
    30s);
  run_threads({GetParam(), 2}, [](group& g) {
    std::vector<float> mine(10, 1.0f);
    EXPECT_FALSE(g.rank() == 0 ? g.barrier() : g.broadcast(mine, 0));
  });
}

TEST_P(Failure, AnotherTypeOfElementIsAnErrorToo) {
  run_threads({GetParam(), 2}, [](group& g) {
    std::vector<float> floats(10);
    std::vector<int32_t> numbers(10);
    auto done = g.rank() == 0 ? g.broadcast(floats, 0) : g.broadcast(numbers, 0);
    EXPECT_TRUE(!done || g.rank() == 0); // the root needs nobody
    EXPECT_FALSE(g.barrier());
  });
}

// One of three goes away: whatever the others call, they soon get an error, and none waits for
// ever.
TEST_P(Failure, EveryOperationEndsWhenARankHasGone) {
  using operation = result<void> (*)(group&, std::vector<double>&, std::vector<double>&);
  constexpr operation all[]
    = {[](group& g, auto& row, auto&) { return g.allreduce(row, reduction::sum); },
       [](group& g, auto& row, auto& part) { return g.reduce_scatter(row, part, reduction::max); },
       [](group& g, auto& row, auto& part) { return g.allgather(part, row); },
       [](group& g, auto& row, auto&) { return g.broadcast(row, 2); },
       [](group& g, auto& row, auto&) { return g.reduce(row, row, reduction::mean, 0); },
       [](group& g, auto& row, auto& part) { return g.gather(part, row, 1); },
       [](group& g, auto& row, auto& part) { return g.scatter(row, part, 2); },
       [](group& g, auto& row, auto&) {
         std::vector<double> out(row.size());
         return g.all_to_all(row, out);
       },
       [](group& g, auto&, auto&) { return g.barrier(); },
       [](group& g, auto& row, auto&) { return g.send(row, 2); },
       [](group& g, auto& row, auto&) { return g.receive(row, 2); },
       [](group& g, auto&, auto&) -> result<void> {
         auto made = g.allocate(10'000);
         return made ? result<void>{} : made.error();
       }};
  for (auto each : all) {
    auto start = system_clock{}.now();
    run_threads(
      {GetParam(), 3},
      [&](group& g) {
        if (g.rank() == 2)
          return;
        std::vector<double> row(300'000);
        std::vector<double> part(100'000);
        result<void> done;
        for (int tries = 0; done && tries < 100; ++tries) // a rank may have its result already
          done = each(g, row, part);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, errc::aborted) << done.error().text;
      },
      30s);
    EXPECT_LT(elapsed_since(start), 10s);
  }
}

// Waiting is passive: the cores belong to those that compute.
TEST_P(Failure, WaitingTakesNoProcessorTime) {
  process_gang gang({GetParam(), 2}, 1s, [](group& g, int) {
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
