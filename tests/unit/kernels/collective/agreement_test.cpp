#include "runtime/base/random.hpp"
#include "tests/unit/kernels/collective/gang.hpp"
#include "tests/unit/kernels/collective/values.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace troupe::collective::test {
namespace {

using data = std::vector<float>;

data input_of(uint32_t rank, size_t count) {
  random_source random(rank * 1000 + count);
  data out(count);
  // Of many magnitudes, so that another order of a sum would show in its bits.
  for (auto& x : out)
    x = static_cast<float>((random.real() - 0.5)
                           * std::exp2(static_cast<double>(random.below(20))));
  return out;
}

double expected(const std::vector<data>& inputs, size_t i, reduction how) {
  std::vector<double> all;
  for (auto& each : inputs)
    all.push_back(each[i]);
  return reduced(all, how);
}

// Hierarchical: 1 to 4 hosts of one or more ranks, so that rows go between them by the ring and by
// the ways of powers of two.
std::vector<gang_shape> shapes() {
  std::vector<gang_shape> out;
  for (auto kind : {backend::shm, backend::tcp, backend::hierarchical}) {
    for (uint32_t ranks = 1; ranks <= 8; ++ranks)
      out.push_back({kind, ranks, 1 + (ranks - 1) % 4, ranks > 6});
  }
  return out;
}

class Agreement : public testing::TestWithParam<gang_shape> {};

INSTANTIATE_TEST_SUITE_P(All, Agreement, testing::ValuesIn(shapes()),
                         [](auto& each) { return name_of(each.param); });

constexpr reduction all_reductions[]
  = {reduction::sum, reduction::mean, reduction::min, reduction::max};

// The results of every rank: [rank][operation].
std::vector<std::vector<data>> reduce_all(const gang_shape& s, const std::vector<size_t>& sizes) {
  std::vector<std::vector<data>> out(s.ranks);
  run_threads(s, [&](group& g) {
    for (auto count : sizes) {
      for (auto how : all_reductions) {
        auto mine = input_of(g.rank(), count);
        auto done = g.allreduce(mine, how);
        ASSERT_TRUE(done) << done.error().text;
        out[g.rank()].push_back(mine);
      }
    }
  });
  return out;
}

TEST_P(Agreement, AllreduceIsRightAndTheSameOnEveryRankAndInEveryRun) {
  auto s = GetParam();
  // Around the bounds inside the backends: 2048 elements, pieces of 64 Ki, chunks of 256 Ki.
  std::vector<size_t> sizes{0, 1, 2, 7, 1001, 2048, 2049, 65537, 262145};
  auto first = reduce_all(s, sizes);
  auto second = reduce_all(s, sizes);
  size_t at = 0;
  for (auto count : sizes) {
    std::vector<data> inputs;
    for (uint32_t r = 0; r < s.ranks; ++r)
      inputs.push_back(input_of(r, count));
    for (auto how : all_reductions) {
      auto& result = first[0][at];
      ASSERT_EQ(result.size(), count);
      size_t wrong = 0;
      for (size_t i = 0; i < count; ++i)
        wrong += std::abs(result[i] - expected(inputs, i, how)) > 2.0;
      EXPECT_EQ(wrong, 0u) << count << " elements, reduction " << static_cast<int>(how);
      for (uint32_t r = 0; r < s.ranks; ++r) {
        EXPECT_TRUE(same_bits(result, first[r][at])) << "rank " << r << ", " << count;
        EXPECT_TRUE(same_bits(result, second[r][at])) << "rank " << r << ", " << count;
      }
      ++at;
    }
  }
}

TEST_P(Agreement, BroadcastCopiesTheRootsData) {
  auto s = GetParam();
  run_threads(s, [&](group& g) {
    for (size_t count : {size_t{0}, size_t{1}, size_t{1001}, size_t{300'001}}) {
      for (uint32_t root = 0; root < g.size(); ++root) {
        auto mine = input_of(g.rank(), count);
        auto done = g.broadcast(mine, root);
        ASSERT_TRUE(done) << done.error().text;
        EXPECT_TRUE(same_bits(mine, input_of(root, count))) << "root " << root << ", " << count;
      }
    }
  });
}

// Different operations share memory and sockets: one must not disturb the next.
TEST_P(Agreement, OperationsOfAllKindsFollowEachOther) {
  auto s = GetParam();
  auto ranks = static_cast<float>(s.ranks);
  run_threads(s, [&](group& g) {
    for (uint32_t round = 0; round < 30; ++round) {
      data large(5000, 1.0f);
      ASSERT_TRUE(g.allreduce(large, reduction::sum));
      EXPECT_EQ(std::count(large.begin(), large.end(), ranks), 5000);
      data spread(3000, static_cast<float>(g.rank()));
      ASSERT_TRUE(g.broadcast(spread, round % g.size()));
      EXPECT_EQ(std::count(spread.begin(), spread.end(), static_cast<float>(round % g.size())),
                3000);
      data few(3, static_cast<float>(g.rank()));
      ASSERT_TRUE(g.allreduce(few, reduction::max));
      EXPECT_EQ(few, data(3, ranks - 1));
      ASSERT_TRUE(g.barrier());
    }
  });
}

TEST_P(Agreement, OneMillionElements) {
  auto s = GetParam();
  run_threads(s, [&](group& g) {
    data mine(1 << 20, static_cast<float>(g.rank() + 1));
    ASSERT_TRUE(g.allreduce(mine, reduction::sum));
    auto sum = static_cast<float>(g.size() * (g.size() + 1)) / 2;
    EXPECT_EQ(std::count(mine.begin(), mine.end(), sum), 1 << 20);
  });
}

TEST(Processes, AgreeLikeThreads) {
  for (auto kind : {backend::shm, backend::tcp}) {
    process_gang gang({kind, 4}, std::chrono::seconds(20), [](group& g, int) {
      data mine(100'000, static_cast<float>(g.rank()));
      if (!g.allreduce(mine, reduction::mean))
        return 1;
      return std::count(mine.begin(), mine.end(), 1.5f) == 100'000 && g.barrier() ? 0 : 2;
    });
    for (uint32_t r = 0; r < 4; ++r)
      EXPECT_EQ(gang.await_exit(r), 0) << name_of(kind) << " rank " << r;
  }
}

} // namespace
} // namespace troupe::collective::test
