// Every operation, on every backend, of 1 to 16 ranks, with every type of element. The values are
// small whole numbers, so that each sum is exact in each type.
#include "tests/support/gpu.hpp"
#include "tests/unit/kernels/collective/gang.hpp"
#include "tests/unit/kernels/collective/values.hpp"

#include <gtest/gtest.h>

namespace troupe::collective::test {
namespace {

constexpr size_t period = 20; // of the numbers

double number(uint32_t rank, size_t i) {
  return static_cast<double>((rank * 7 + i * 3 + i / 5) % 4);
}

// The elements `from` to `from + count` of what has that period.
template <class T, class F>
std::vector<T> periodic(size_t from, size_t count, const F& number_at) {
  std::vector<T> out(count);
  for (size_t i = 0; i < std::min(count, period); ++i)
    out[i] = value<T>(number_at(from + i));
  for (size_t i = period; i < count; ++i)
    out[i] = out[i - period];
  return out;
}

double reduced(uint32_t ranks, size_t i, reduction how) {
  std::vector<double> all(ranks);
  for (uint32_t r = 0; r < ranks; ++r)
    all[r] = number(r, i);
  return test::reduced(all, how);
}

// What rank r gives: elements `from` to `from + count` of its numbers.
template <class T>
std::vector<T> row_of(uint32_t rank, size_t count, size_t from = 0) {
  return periodic<T>(from, count, [&](size_t i) { return number(rank, i); });
}

template <class T>
std::vector<T> reduced_row(uint32_t ranks, size_t count, reduction how, size_t from = 0) {
  return periodic<T>(from, count, [&](size_t i) { return reduced(ranks, i, how); });
}

constexpr reduction all_reductions[]
  = {reduction::sum, reduction::mean, reduction::min, reduction::max};

bool takes_large_rows(uint32_t ranks) {
  return ranks <= 3 || ranks == 5 || ranks == 16;
}

std::vector<gang_shape> shapes() {
  std::vector<gang_shape> out;
  for (uint32_t ranks = 1; ranks <= 16; ++ranks) {
    out.push_back({backend::shm, ranks});
    out.push_back({backend::tcp, ranks});
  }
  // Ranks and hosts: each rank alone, some alone, and as many on each.
  for (auto [ranks, hosts] : {std::pair{1u, 1u}, {2u, 2u}, {3u, 3u}, {5u, 3u}, {8u, 2u}, {16u, 4u}})
    out.push_back({backend::hierarchical, ranks, hosts, ranks >= 8});
  // Powers of two, for which a product with 1 / ranks is exact.
  for (uint32_t ranks = 1; ranks <= static_cast<uint32_t>(troupe::test::count_gpus()); ranks *= 2)
    out.push_back({backend::nccl, ranks});
  return out;
}

class Operations : public testing::TestWithParam<gang_shape> {
protected:
  // Elements of a part: none, one, few, an odd number, and for some ranks more than a step of the
  // backend takes.
  template <class T>
  std::vector<size_t> sizes() const {
    auto ranks = GetParam().ranks;
    auto large = (1u << 20) / sizeof(T) / ranks + 1;
    return {0, 1, 7, takes_large_rows(ranks) ? large : 1001};
  }

  // `body` gets an element of each type in turn.
  template <class F>
  void with_types(const F& body) {
    run_threads(GetParam(), [&](group& g) {
      body(g, float{});
      body(g, double{});
      body(g, bfloat16{});
      body(g, float16{});
      body(g, int32_t{});
      body(g, int64_t{});
    });
  }
};

INSTANTIATE_TEST_SUITE_P(All, Operations, testing::ValuesIn(shapes()),
                         [](auto& each) { return name_of(each.param); });

TEST(OperationsOverNccl, AreAmongTheseWhereThereAreGpus) {
  TROUPE_NEEDS_GPUS(1, "collectives over NCCL");
  TROUPE_NEEDS_GPUS(2, "collectives over NCCL between GPUs");
}

#define EXPECT_DONE(what)                                                                          \
  do {                                                                                             \
    auto done = (what);                                                                            \
    ASSERT_TRUE(done) << done.error().text;                                                        \
  } while (false)

TEST_P(Operations, Allreduce) {
  with_types([&]<class T>(group& g, T) {
    for (auto count : sizes<T>())
      for (auto how : all_reductions) {
        auto expected = reduced_row<T>(g.size(), count, how);
        auto row = row_of<T>(g.rank(), count);
        std::vector<T> out(count);
        EXPECT_DONE(g.allreduce(row, out, how));
        EXPECT_TRUE(out == expected) << name_of(element_of<T>()) << " " << count;
        EXPECT_TRUE(row == row_of<T>(g.rank(), count));
        EXPECT_DONE(g.allreduce(row, how));
        EXPECT_TRUE(row == expected) << name_of(element_of<T>()) << " " << count;
      }
  });
}

TEST_P(Operations, ReduceScatter) {
  with_types([&]<class T>(group& g, T) {
    for (auto count : sizes<T>())
      for (auto how : {reduction::mean, reduction::max}) {
        auto expected = reduced_row<T>(g.size(), count, how, g.rank() * count);
        auto row = row_of<T>(g.rank(), count * g.size());
        std::vector<T> out(count);
        EXPECT_DONE(g.reduce_scatter(row, out, how));
        EXPECT_TRUE(out == expected) << name_of(element_of<T>()) << " " << count;
        auto own = std::span(row).subspan(g.rank() * count, count);
        EXPECT_DONE(g.reduce_scatter(row, own, how));
        EXPECT_TRUE(std::ranges::equal(own, expected)) << name_of(element_of<T>()) << " " << count;
      }
  });
}

TEST_P(Operations, Allgather) {
  with_types([&]<class T>(group& g, T) {
    for (auto count : sizes<T>()) {
      std::vector<T> expected;
      for (uint32_t r = 0; r < g.size(); ++r) {
        auto each = row_of<T>(r, count);
        expected.insert(expected.end(), each.begin(), each.end());
      }
      std::vector<T> out(count * g.size());
      EXPECT_DONE(g.allgather(row_of<T>(g.rank(), count), out));
      EXPECT_TRUE(out == expected) << name_of(element_of<T>()) << " " << count;
      auto own = std::span(out).subspan(g.rank() * count, count);
      EXPECT_DONE(g.allgather(own, out));
      EXPECT_TRUE(out == expected) << name_of(element_of<T>()) << " " << count;
    }
  });
}

TEST_P(Operations, BroadcastAndReduceFromEachRoot) {
  with_types([&]<class T>(group& g, T) {
    for (auto count : sizes<T>())
      for (uint32_t root : {0u, g.size() / 2, g.size() - 1}) {
        auto row = row_of<T>(g.rank(), count);
        EXPECT_DONE(g.broadcast(row, root));
        EXPECT_TRUE(row == row_of<T>(root, count)) << name_of(element_of<T>()) << " " << count;
        row = row_of<T>(g.rank(), count);
        std::vector<T> out(g.rank() == root ? count : 0);
        EXPECT_DONE(g.reduce(row, out, reduction::mean, root));
        auto expected = reduced_row<T>(g.size(), out.size(), reduction::mean);
        EXPECT_TRUE(out == expected) << name_of(element_of<T>()) << " " << count;
        EXPECT_TRUE(row == row_of<T>(g.rank(), count));
      }
  });
}

TEST_P(Operations, GatherAndScatterAreEachOthersReverse) {
  with_types([&]<class T>(group& g, T) {
    for (auto count : sizes<T>())
      for (uint32_t root : {0u, g.size() - 1}) {
        auto is_root = g.rank() == root;
        auto mine = row_of<T>(g.rank(), count);
        std::vector<T> all(is_root ? count * g.size() : 0);
        EXPECT_DONE(g.gather(mine, all, root));
        for (uint32_t r = 0; is_root && r < g.size(); ++r)
          EXPECT_TRUE(
            std::ranges::equal(std::span(all).subspan(r * count, count), row_of<T>(r, count)));
        std::vector<T> back(count);
        EXPECT_DONE(g.scatter(all, back, root));
        EXPECT_TRUE(back == mine) << name_of(element_of<T>()) << " " << count;
      }
  });
}

TEST_P(Operations, AllToAll) {
  with_types([&]<class T>(group& g, T) {
    for (auto count : sizes<T>()) {
      std::vector<T> out(count * g.size());
      EXPECT_DONE(g.all_to_all(row_of<T>(g.rank(), out.size()), out));
      for (uint32_t r = 0; r < g.size(); ++r)
        EXPECT_TRUE(std::ranges::equal(std::span(out).subspan(r * count, count),
                                       row_of<T>(r, count, g.rank() * count)))
          << name_of(element_of<T>()) << " " << count;
    }
  });
}

// From each rank to the next, and the other way round, between other operations.
TEST_P(Operations, Transfers) {
  if (GetParam().ranks == 1)
    return;
  with_types([&]<class T>(group& g, T) {
    auto next = (g.rank() + 1) % g.size();
    auto previous = (g.rank() + g.size() - 1) % g.size();
    for (auto count : sizes<T>())
      for (auto [to, from] : {std::pair{next, previous}, {previous, next}}) {
        auto mine = row_of<T>(g.rank(), count);
        std::vector<T> theirs(count);
        if (g.rank() == 0) // it begins, and so the others can one after the other
          EXPECT_DONE(g.send(mine, to));
        EXPECT_DONE(g.receive(theirs, from));
        EXPECT_TRUE(theirs == row_of<T>(from, count)) << name_of(element_of<T>()) << " " << count;
        if (g.rank() != 0)
          EXPECT_DONE(g.send(mine, to));
        EXPECT_DONE(g.barrier());
      }
  });
}

// Wherever the rows lie, also if only on some ranks in memory that all share, and if some have
// given it back.
TEST_P(Operations, MemoryOfTheGroup) {
  with_types([&]<class T>(group& g, T) {
    for (auto count : {size_t{5}, sizes<T>().back()}) {
      auto expected = reduced_row<T>(g.size(), count, reduction::mean);
      auto memory = g.allocate((g.size() + 1) * count * sizeof(T));
      ASSERT_TRUE(memory) << memory.error().text;
      auto row = (*memory)->template row<T>();
      auto in = row.first(count);
      auto whole = row.first(g.size() * count);
      auto out = row.last(count);
      std::ranges::copy(row_of<T>(g.rank(), count), in.begin());
      EXPECT_DONE(g.allreduce(in, out, reduction::mean));
      EXPECT_TRUE(std::ranges::equal(out, expected));
      EXPECT_TRUE(std::ranges::equal(in, row_of<T>(g.rank(), count)));
      EXPECT_DONE(g.allreduce(in, reduction::mean));
      EXPECT_TRUE(std::ranges::equal(in, expected));
      std::ranges::copy(row_of<T>(g.rank(), whole.size()), whole.begin());
      EXPECT_DONE(g.reduce_scatter(whole, out, reduction::max));
      EXPECT_TRUE(
        std::ranges::equal(out, reduced_row<T>(g.size(), count, reduction::max, g.rank() * count)));
      EXPECT_DONE(g.allgather(out, whole));
      EXPECT_TRUE(
        std::ranges::equal(whole, reduced_row<T>(g.size(), whole.size(), reduction::max)));
      EXPECT_DONE(g.broadcast(out, g.size() - 1));
      std::ranges::copy(row_of<T>(g.rank(), count), in.begin());
      auto elsewhere = row_of<T>(g.rank(), count);
      auto used = g.rank() % 2 == 0 ? in : std::span(elsewhere);
      EXPECT_DONE(g.allreduce(used, reduction::mean));
      EXPECT_TRUE(std::ranges::equal(used, expected));
      if (g.rank() != 0)
        memory->reset();
      elsewhere = row_of<T>(g.rank(), count);
      std::ranges::copy(elsewhere, g.rank() == 0 ? in.begin() : std::span(elsewhere).begin());
      used = g.rank() == 0 ? in : std::span(elsewhere);
      EXPECT_DONE(g.allreduce(used, reduction::mean));
      EXPECT_TRUE(std::ranges::equal(used, expected));
    }
  });
}

// A wrong call changes nothing: the group goes on.
TEST_P(Operations, RefuseWhatMakesNoSense) {
  auto ranks = GetParam().ranks;
  run_threads(GetParam(), [&](group& g) {
    std::vector<float> few(3);
    std::vector<float> more(3 * ranks + 1);
    std::vector<double> others(3);
    auto refused = [](const result<void>& x) { return !x && x.error().code == errc::invalid; };
    EXPECT_TRUE(refused(g.allreduce(few, more, reduction::sum)));
    EXPECT_TRUE(refused(g.allreduce(few, others, reduction::sum)));
    auto row = std::span(more);
    EXPECT_TRUE(refused(g.allreduce(row.first(3), row.subspan(1, 3), reduction::sum)));
    EXPECT_TRUE(refused(g.reduce_scatter(more, few, reduction::sum)));
    EXPECT_TRUE(refused(g.allgather(few, more)));
    EXPECT_TRUE(refused(g.allgather(row.subspan(1, 2), row.first(2 * ranks))));
    EXPECT_TRUE(refused(g.broadcast(few, ranks)));
    EXPECT_TRUE(refused(g.send(few, g.rank())));
    EXPECT_TRUE(refused(g.receive(few, ranks)));
    EXPECT_TRUE(ranks == 1 || refused(g.all_to_all(more, std::vector<float>(more.size()))));
    EXPECT_DONE(g.barrier());
  });
}

} // namespace
} // namespace troupe::collective::test
