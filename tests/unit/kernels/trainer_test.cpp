// Data-parallel training: the shards, one gang against one rank, and an interrupted run against a
// whole one.
#include "actors/training/sharding.hpp"
#include "actors/training/trainer.hpp"
#include "kernels/cpu/cpu.hpp"
#include "kernels/onednn/onednn.hpp"
#include "runtime/base/random.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <thread>

namespace troupe::training {
namespace {

// Images whose label can be learned: class c is bright in row c.
idx_dataset stripes(size_t count) {
  random_source random{11};
  idx_dataset data;
  data.rows = data.columns = 10;
  for (size_t n = 0; n < count; ++n) {
    auto label = static_cast<uint8_t>(random.below(10));
    data.labels.push_back(label);
    for (size_t i = 0; i < 100; ++i)
      data.pixels.push_back(static_cast<uint8_t>(random.below(100) + (i / 10 == label ? 150 : 0)));
  }
  return data;
}

std::unique_ptr<kernels::backend> fast() {
  auto made = kernels::onednn::make_backend();
  EXPECT_TRUE(made);
  return *std::move(made);
}

TEST(Sharding, CoversEachSampleExactlyOnce) {
  for (uint32_t samples : {1U, 2U, 7U, 100U, 1001U})
    for (uint32_t world : {1U, 2U, 3U, 8U, 64U}) {
      std::vector<int> seen(samples);
      for (uint32_t rank = 0; rank < world; ++rank) {
        auto mine = shard(samples, 5, 2, rank, world);
        EXPECT_GE(mine.size(), samples / world);
        EXPECT_LE(mine.size(), samples / world + 1);
        for (auto sample : mine)
          ++seen[sample];
      }
      EXPECT_EQ(seen, std::vector<int>(samples, 1)) << samples << " over " << world;
    }
}

TEST(Sharding, DependsOnSeedAndEpochOnly) {
  EXPECT_EQ(epoch_order(100, 5, 2), epoch_order(100, 5, 2));
  EXPECT_NE(epoch_order(100, 5, 2), epoch_order(100, 5, 3));
  EXPECT_NE(epoch_order(100, 5, 2), epoch_order(100, 6, 2));
  EXPECT_NE(epoch_order(100, 5, 2), epoch_order(100, 2, 5));
}

TEST(Trainer, LearnsAndIsInterruptedWithoutATraceOnEachBackend) {
  auto data = stripes(200);
  training_plan plan{.seed = 3, .epochs = 5, .batch = 16, .learning_rate = 0.1F};
  std::vector<std::unique_ptr<kernels::backend>> backends;
  backends.push_back(fast());
  backends.push_back(kernels::cpu::make_backend());
  for (const auto& on : backends) {
    auto whole = trainer::make(*on, data, plan, nullptr);
    ASSERT_TRUE(whole) << whole.error().text;
    EXPECT_EQ(whole->steps_per_epoch(), 12u);
    std::vector<training_state> states;
    while (!whole->done()) {
      if (whole->step() == 1 || whole->step() == 12 || whole->step() == 31)
        states.push_back(whole->state());
      ASSERT_TRUE(whole->advance());
    }
    auto accuracy = whole->accuracy(data);
    ASSERT_TRUE(accuracy);
    EXPECT_GE(*accuracy, 0.9);
    for (const auto& state : states) {
      auto resumed = trainer::make(*on, data, plan, nullptr);
      ASSERT_TRUE(resumed);
      ASSERT_TRUE(resumed->restore(state));
      while (!resumed->done())
        ASSERT_TRUE(resumed->advance());
      EXPECT_EQ(resumed->state().parameters, whole->state().parameters) << state.step;
      EXPECT_EQ(resumed->state().velocity, whole->state().velocity) << state.step;
    }
  }
}

struct outcome {
  training_state state;
  std::vector<float> losses;
  double accuracy = 0;
};

// One rank of a gang, to the end of the plan. Rank 0 goes on from `start` where there is one; the
// others must hear of it.
outcome run_rank(const idx_dataset& data, const training_plan& plan, collective::group* gang,
                 const training_state* start) {
  outcome got;
  auto on = fast();
  auto made = trainer::make(*on, data, plan, gang);
  EXPECT_TRUE(made);
  if (start && made->rank() == 0) {
    EXPECT_TRUE(made->restore(*start));
  }
  EXPECT_TRUE(made->synchronise());
  while (!made->done()) {
    auto loss = made->advance();
    EXPECT_TRUE(loss);
    if (!loss)
      return got;
    got.losses.push_back(*loss);
  }
  auto accuracy = made->accuracy(data);
  EXPECT_TRUE(accuracy);
  got.accuracy = accuracy ? *accuracy : -1;
  got.state = made->state();
  return got;
}

std::vector<outcome> run_gang(const idx_dataset& data, const training_plan& plan, uint32_t size,
                              uint64_t generation, const training_state* start) {
  std::vector<outcome> outcomes(size);
  std::vector<std::thread> threads;
  auto name = "troupe_trainer_test_" + std::to_string(getpid());
  for (uint32_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      collective::group_options options;
      options.rank = rank;
      options.size = size;
      options.generation = generation;
      options.secret = "of this test";
      auto gang = collective::join_shm(options, name + "_" + std::to_string(generation));
      ASSERT_TRUE(gang) << gang.error().text;
      outcomes[rank] = run_rank(data, plan, gang->get(), start);
    });
  for (auto& each : threads)
    each.join();
  return outcomes;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, float bound) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], wanted[i], bound) << i;
}

TEST(Trainer, AGangDoesWhatOneRankWithAllItsBatchesDoes) {
  auto data = stripes(203);
  for (uint32_t ranks : {2U, 3U}) {
    training_plan shared{.epochs = 2, .batch = 8};
    training_plan alone = shared;
    alone.batch = 8 * ranks;
    auto gang = run_gang(data, shared, ranks, ranks, nullptr);
    auto one = run_rank(data, alone, nullptr, nullptr);
    for (const auto& each : gang) {
      EXPECT_EQ(each.state.step, one.state.step);
      EXPECT_EQ(each.state.parameters, gang[0].state.parameters);
      EXPECT_EQ(each.losses, gang[0].losses);
      EXPECT_NEAR(each.accuracy, one.accuracy, 0.011);
    }
    // Sums are taken in another order: the difference is of rounding, over a few dozen steps.
    expect_near(gang[0].losses, one.losses, 1e-3F);
    expect_near(gang[0].state.parameters, one.state.parameters, 1e-3F);
  }
}

TEST(Trainer, AGangGoesOnFromTheStateOfRankZero) {
  auto data = stripes(100);
  training_plan plan{.epochs = 2, .batch = 8};
  auto on = fast();
  auto made = trainer::make(*on, data, plan, nullptr);
  ASSERT_TRUE(made);
  auto start = made->state();
  start.step = 7; // of the 12 of this gang
  for (auto& x : start.parameters)
    x *= 0.5F;
  for (auto& x : start.velocity)
    x = 0.001F;
  auto once = run_gang(data, plan, 2, 11, &start);
  auto again = run_gang(data, plan, 2, 12, &start);
  EXPECT_EQ(once[0].losses.size(), 5u);
  EXPECT_EQ(once[0].state.parameters, once[1].state.parameters);
  EXPECT_EQ(once[0].state.velocity, once[1].state.velocity);
  EXPECT_EQ(once[0].state.parameters, again[1].state.parameters);
}

TEST(Trainer, RefusesPlansAndStatesThatMakeNoSense) {
  auto data = stripes(20);
  auto on = kernels::cpu::make_backend();
  auto refused = [&](training_plan plan) {
    auto made = trainer::make(*on, data, plan, nullptr);
    return !made && made.error().code == errc::invalid;
  };
  EXPECT_TRUE(refused({.batch = 21}));
  EXPECT_TRUE(refused({.batch = 0}));
  EXPECT_TRUE(refused({.epochs = 0, .batch = 4}));
  EXPECT_TRUE(refused({.batch = 4, .learning_rate = -1}));
  EXPECT_TRUE(refused({.batch = 4, .learning_rate = NAN}));
  EXPECT_TRUE(refused({.batch = 4, .momentum = 1}));
  auto made = trainer::make(*on, data, {.epochs = 1, .batch = 4}, nullptr);
  ASSERT_TRUE(made);
  auto state = made->state();
  state.step = 6;
  EXPECT_FALSE(made->restore(state));
  state.step = 1;
  state.velocity.pop_back();
  EXPECT_FALSE(made->restore(state));
  EXPECT_EQ(made->step(), 0u);
}

} // namespace
} // namespace troupe::training
