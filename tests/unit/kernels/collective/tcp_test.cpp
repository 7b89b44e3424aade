// The algorithms of the TCP backend, each by itself, and which of them a group takes.
#include "kernels/collective/tcp/plan.hpp"
#include "runtime/base/random.hpp"
#include "tests/unit/kernels/collective/gang.hpp"
#include "tests/unit/kernels/collective/values.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <numeric>
#include <set>
#include <thread>

namespace troupe::collective::test {
namespace {

using tcp::way;
using data = std::vector<float>;

// Of many magnitudes, so that another order of a sum shows in its bits, with zeros of both signs,
// of which a minimum is the first.
data row_of(uint32_t rank, size_t count) {
  random_source random(rank * 1000 + count);
  data out(count);
  for (auto& x : out) {
    auto zero = random.below(8) == 0 ? std::copysign(0.0, random.real() - 0.5) : 1.0;
    x = static_cast<float>(zero * (random.real() - 0.25)
                           * std::exp2(static_cast<double>(random.below(20))));
  }
  return out;
}

void add(data& sum, const data& other, reduction how) {
  combine(element::f32, how, reinterpret_cast<std::byte*>(sum.data()),
          reinterpret_cast<const std::byte*>(other.data()), sum.size());
}

// ((0 + 1) + (2 + 3)) + ..., where those beyond a power of two have been added to the first ones.
data pairwise(uint32_t ranks, size_t count, reduction how) {
  std::vector<data> rows;
  for (uint32_t r = 0; r < ranks; ++r)
    rows.push_back(row_of(r, count));
  auto power = std::bit_floor(ranks);
  for (auto r = power; r < ranks; ++r)
    add(rows[r - power], rows[r], how);
  for (uint32_t distance = 1; distance < power; distance *= 2)
    for (uint32_t r = 0; r < power; r += 2 * distance)
      add(rows[r], rows[r + distance], how);
  return rows[0];
}

// Each rank in a thread, with the other ones as the algorithms see them.
void run_peers(uint32_t ranks, const std::function<void(tcp::peers&, time_point until)>& body) {
  place where(backend::tcp, ranks);
  auto until = system_clock{}.now() + std::chrono::seconds(30);
  std::vector<uint32_t> all(ranks);
  std::iota(all.begin(), all.end(), 0u);
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      auto link = tcp::join(options_of(r, ranks, std::chrono::seconds(30)),
                            owned_fd(where.take_listener(r)), where.members(), until);
      ASSERT_TRUE(link) << link.error().text;
      tcp::peers with(std::move(*link), all, r);
      body(with, until);
    });
  for (auto& each : threads)
    each.join();
}

// Nothing, one, fewer than ranks, and more than goes at a time.
constexpr size_t counts[] = {0, 1, 5, 1001, 70'001};

constexpr way pairwise_ways[] = {way::doubling, way::halving};

std::string name_of(way which) {
  return which == way::doubling ? "doubling" : which == way::halving ? "halving" : "ring";
}

class TcpWays : public testing::TestWithParam<uint32_t> {};

INSTANTIATE_TEST_SUITE_P(All, TcpWays, testing::Values(2u, 3u, 4u, 5u, 7u, 8u, 12u, 16u),
                         testing::PrintToStringParamName());

TEST_P(TcpWays, DoublingAndHalvingGiveTheSameBits) {
  for (auto count : counts)
    for (auto how : {reduction::sum, reduction::min}) {
      auto expected = pairwise(GetParam(), count, how);
      run_peers(GetParam(), [&](tcp::peers& with, time_point until) {
        std::vector<std::byte> scratch;
        for (auto chosen : pairwise_ways) {
          auto row = row_of(with.rank(), count);
          with.begin({});
          auto done = tcp::reduce_by(chosen, with, row, how, {}, scratch, until);
          ASSERT_TRUE(done) << done.error().text;
          EXPECT_TRUE(same_bits(row, expected)) << name_of(chosen) << " " << count;
        }
      });
    }
}

TEST_P(TcpWays, EachRootGetsTheBitsThatAllWouldGet) {
  for (auto count : counts) {
    auto expected = pairwise(GetParam(), count, reduction::sum);
    run_peers(GetParam(), [&](tcp::peers& with, time_point until) {
      std::vector<std::byte> scratch;
      for (uint32_t root = 0; root < with.size(); ++root)
        for (auto chosen : pairwise_ways) {
          auto row = row_of(with.rank(), count);
          with.begin({});
          auto done = tcp::reduce_by(chosen, with, row, reduction::sum, root, scratch, until);
          ASSERT_TRUE(done) << done.error().text;
          EXPECT_TRUE(with.rank() != root || same_bits(row, expected))
            << name_of(chosen) << " " << count << ", root " << root;
        }
    });
  }
}

// A segment's sum begins at the rank of its number: where the rows have one element for each rank,
// element r is r + (r + 1) + ...
TEST_P(TcpWays, TheRingHasAnOrderOfItsOwn) {
  auto ranks = GetParam();
  auto other = pairwise(ranks, 70'001, reduction::sum);
  run_peers(ranks, [&](tcp::peers& with, time_point until) {
    std::vector<std::byte> scratch;
    data expected(ranks);
    for (uint32_t i = 0; i < ranks; ++i) {
      expected[i] = row_of(i, ranks)[i];
      for (uint32_t k = 1; k < ranks; ++k)
        expected[i] += row_of((i + k) % ranks, ranks)[i];
    }
    auto row = row_of(with.rank(), ranks);
    with.begin({});
    auto done = tcp::reduce_by(way::ring, with, row, reduction::sum, {}, scratch, until);
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_TRUE(same_bits(row, expected));
    auto long_row = row_of(with.rank(), 70'001);
    with.begin({});
    ASSERT_TRUE(tcp::reduce_by(way::ring, with, long_row, reduction::sum, {}, scratch, until));
    // The order shows, or the tests above would show nothing.
    EXPECT_TRUE(ranks == 2 || !same_bits(long_row, other));
  });
}

TEST_P(TcpWays, TreeAndRingBroadcastTheRowOfEachRoot) {
  for (auto count : counts) {
    std::vector<data> rows;
    for (uint32_t r = 0; r < GetParam(); ++r)
      rows.push_back(row_of(r, count));
    run_peers(GetParam(), [&](tcp::peers& with, time_point until) {
      for (uint32_t root = 0; root < with.size(); ++root)
        for (auto spread : {tcp::broadcast_by_tree, tcp::broadcast_by_ring}) {
          auto row = rows[with.rank()];
          with.begin({});
          auto done = spread(with, row, root, until);
          ASSERT_TRUE(done) << done.error().text;
          EXPECT_TRUE(same_bits(row, rows[root])) << count << " from root " << root;
        }
    });
  }
}

// The results by rank where one has gone before its part; who fails ends its connections, as a
// group does.
using operation_of_peers = std::function<result<void>(tcp::peers&, time_point until)>;

std::vector<result<void>> without(uint32_t victim, uint32_t ranks, const operation_of_peers& run) {
  std::vector<result<void>> out(ranks);
  run_peers(ranks, [&](tcp::peers& with, time_point until) {
    with.begin({});
    auto done = with.rank() == victim ? error{errc::aborted, "gone"} : run(with, until);
    if (!done)
      with.end();
    out[with.rank()] = done;
  });
  return out;
}

void expect_done_or_aborted(const std::vector<result<void>>& all) {
  for (auto& each : all)
    EXPECT_TRUE(each || each.error().code == errc::aborted) << each.error().text;
}

TEST(TcpTrees, AReduceFailsAtItsRootWhoeverHasGone) {
  constexpr uint32_t ranks = 7;
  for (uint32_t root : {0u, 3u, 6u})
    for (uint32_t victim = 0; victim < ranks; ++victim)
      for (auto chosen : pairwise_ways) {
        auto all = without(victim, ranks, [&](tcp::peers& with, time_point until) {
          data row(70'001);
          std::vector<std::byte> scratch;
          return tcp::reduce_by(chosen, with, row, reduction::sum, root, scratch, until);
        });
        expect_done_or_aborted(all);
        EXPECT_FALSE(all[root]) << name_of(chosen) << " to " << root << " without " << victim;
      }
}

TEST(TcpTrees, ABroadcastFailsBehindTheRankThatHasGone) {
  constexpr uint32_t ranks = 7;
  for (uint32_t root : {0u, 3u, 6u})
    for (uint32_t victim = 0; victim < ranks; ++victim) {
      auto all = without(victim, ranks, [&](tcp::peers& with, time_point until) {
        data row(1001);
        return tcp::broadcast_by_tree(with, row, root, until);
      });
      expect_done_or_aborted(all);
      auto place_of = [&](uint32_t rank) { return (rank + ranks - root) % ranks; };
      for (uint32_t r = 0; r < ranks; ++r) {
        auto above = place_of(r); // and what is above that, up to the root
        while (above != place_of(victim) && above != 0)
          above &= above - 1;
        EXPECT_TRUE(above != place_of(victim) || !all[r])
          << "rank " << r << " from " << root << " without " << victim;
      }
    }
}

// More than the sockets hold.
TEST(TcpLink, ASendToARankThatTakesNothingEndsByTheDeadline) {
  std::atomic<bool> ended = false;
  run_peers(2, [&](tcp::peers& with, time_point) {
    with.begin({});
    if (with.rank() == 1) {
      ended.wait(false);
      return;
    }
    std::vector<std::byte> row(64u << 20);
    auto done = with.send(1, row, system_clock{}.now() + std::chrono::milliseconds(100));
    EXPECT_FALSE(done);
    EXPECT_TRUE(done || done.error().code == errc::deadline) << done.error().text;
    ended = true;
    ended.notify_one();
  });
}

// What a group measures when it meets differs from run to run; the bits must not.
TEST(TcpPlan, CostsChooseOnlyBetweenWaysThatGiveTheSameBits) {
  std::set<way> seen;
  for (uint32_t ranks = 2; ranks <= 64; ++ranks)
    for (size_t length = 0; length <= (64u << 20); length = length * 3 / 2 + 1) {
      std::set<way> chosen;
      for (double latency_s = 1e-7; latency_s < 1; latency_s *= 4)
        for (double byte_s = 1e-12; byte_s < 1e-5; byte_s *= 4) {
          chosen.insert(tcp::choose({latency_s, byte_s}, length, ranks));
          EXPECT_NE(tcp::choose_to_root({latency_s, byte_s}, length, ranks), way::ring);
        }
      EXPECT_TRUE(!chosen.contains(way::ring) || chosen.size() == 1) << ranks << ", " << length;
      EXPECT_TRUE(!chosen.contains(way::ring) || !std::has_single_bit(ranks)) << ranks;
      seen.merge(chosen);
    }
  EXPECT_EQ(seen.size(), 3u);
}

TEST(TcpPlan, FewBytesGoInFewMessagesAndManyInEqualParts) {
  tcp::costs network{20e-6, 1e-9};
  EXPECT_EQ(tcp::choose(network, 64, 8), way::doubling);
  EXPECT_EQ(tcp::choose(network, 1u << 20, 8), way::halving);
  EXPECT_EQ(tcp::choose(network, 64, 12), way::doubling);
  EXPECT_EQ(tcp::choose(network, (512u << 10) - 1, 12), way::halving);
  EXPECT_EQ(tcp::choose(network, 512u << 10, 12), way::ring);
  EXPECT_EQ(tcp::choose(network, 64, 3), way::doubling);
  EXPECT_EQ(tcp::choose(network, 64u << 10, 3), way::ring);
  EXPECT_EQ(tcp::choose_to_root(network, 64, 12), way::doubling);
  EXPECT_EQ(tcp::choose_to_root(network, 1u << 20, 12), way::halving);
  EXPECT_TRUE(tcp::tree_broadcasts(network, 64, 12));
  EXPECT_TRUE(tcp::tree_broadcasts(network, 256u << 10, 12));
  EXPECT_FALSE(tcp::tree_broadcasts(network, 64u << 20, 12));
}

// In place and not; the other ranks' rows stay as they are.
template <class T>
void expect_root_has_what_all_have(group& g, size_t count) {
  std::vector<T> mine;
  for (auto x : row_of(g.rank(), count))
    mine.push_back(value<T>(x));
  for (auto how : {reduction::sum, reduction::mean}) {
    auto all = mine;
    ASSERT_TRUE(g.allreduce(all, how));
    for (uint32_t root = 0; root < g.size(); ++root) {
      auto is_root = g.rank() == root;
      auto in = mine;
      std::vector<T> out(is_root ? count : 0);
      auto done = g.reduce(in, out, how, root);
      ASSERT_TRUE(done) << done.error().text;
      EXPECT_TRUE(same_bits(in, mine));
      EXPECT_TRUE(!is_root || same_bits(out, all)) << "root " << root << ", " << count;
      ASSERT_TRUE(g.reduce(in, in, how, root));
      EXPECT_TRUE(same_bits(in, is_root ? all : mine)) << "root " << root << ", " << count;
    }
  }
}

// Below the ring's bound.
TEST(TcpReduce, GivesTheRootTheBitsOfAnAllreduce) {
  for (uint32_t ranks : {2u, 3u, 5u, 8u})
    run_threads({backend::tcp, ranks}, [](group& g) {
      for (size_t count : {size_t{1}, size_t{1001}, size_t{16'000}}) {
        expect_root_has_what_all_have<float>(g, count);
        expect_root_has_what_all_have<bfloat16>(g, count);
      }
    });
}

} // namespace
} // namespace troupe::collective::test
