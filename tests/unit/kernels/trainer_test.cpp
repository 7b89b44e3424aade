// Data-parallel training: the shards, one gang against one rank, and an interrupted run against a
// whole one.
#include "actors/training/epoch_order.hpp"
#include "actors/training/image_network.hpp"
#include "kernels/cpu/cpu.hpp"
#include "runtime/base/random.hpp"
#include "tests/support/deferred_device.hpp"
#include "tests/support/labelled_images.hpp"
#include "tests/support/shared_gang.hpp"
#ifdef TROUPE_HAS_ONEDNN
#include "kernels/onednn/onednn.hpp"
#endif

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>

namespace troupe::training {
namespace {

using test::in_a_gang;

// Images whose label can be learned: class c is bright in row c.
std::unique_ptr<dataset> stripes(size_t count) {
  random_source random{11};
  std::vector<uint8_t> pixels;
  std::vector<uint8_t> labels;
  for (size_t n = 0; n < count; ++n) {
    auto label = static_cast<uint8_t>(random.below(10));
    labels.push_back(label);
    for (size_t i = 0; i < 100; ++i)
      pixels.push_back(static_cast<uint8_t>(random.below(100) + (i / 10 == label ? 150 : 0)));
  }
  return labelled_images(10, 10, pixels, labels);
}

// The fastest operators of the processor that are built in.
std::unique_ptr<kernels::backend> fast() {
#ifdef TROUPE_HAS_ONEDNN
  auto made = kernels::onednn::make_backend();
  EXPECT_TRUE(made);
  return *std::move(made);
#else
  return kernels::cpu::make_backend();
#endif
}

trainer make(const kernels::backend& on, const dataset& data, const training_plan& plan) {
  auto net = make_image_network(on, {.batch = plan.batch, .rows = 10, .columns = 10}, plan.seed);
  TROUPE_ASSERT(net);
  auto made = trainer::make(on, *std::move(net), images_with_labels(data), plan);
  TROUPE_ASSERT(made);
  return *std::move(made);
}

TEST(EpochOrder, HasEachSampleOnce) {
  for (uint32_t samples : {1U, 2U, 7U, 100U, 1001U}) {
    auto order = epoch_order(samples, 5, 2);
    std::sort(order.begin(), order.end());
    for (uint32_t i = 0; i < samples; ++i)
      EXPECT_EQ(order[i], i);
    EXPECT_EQ(order.size(), samples);
  }
}

TEST(EpochOrder, DependsOnSeedAndEpochOnly) {
  EXPECT_EQ(epoch_order(100, 5, 2), epoch_order(100, 5, 2));
  EXPECT_NE(epoch_order(100, 5, 2), epoch_order(100, 5, 3));
  EXPECT_NE(epoch_order(100, 5, 2), epoch_order(100, 6, 2));
  EXPECT_NE(epoch_order(100, 5, 2), epoch_order(100, 2, 5));
}

TEST(Trainer, LearnsAndIsInterruptedWithoutATraceOnEachBackend) {
  auto owned = stripes(200);
  const auto& data = *owned;
  training_plan plan{.seed = 3, .epochs = 5, .batch = 16};
  plan.optimiser.learning_rate = 0.1F;
  std::vector<std::unique_ptr<kernels::backend>> backends;
  backends.push_back(fast());
  backends.push_back(kernels::cpu::make_backend());
  auto elsewhere = test::make_deferred_device();
  backends.push_back(test::make_deferred_backend(*backends[0], *elsewhere));
  for (const auto& on : backends) {
    auto whole = make(*on, data, plan);
    std::vector<training_state> states;
    while (!whole.done()) {
      if (whole.step() == 1 || whole.step() == 13 || whole.step() == 31)
        states.push_back(*whole.state());
      ASSERT_TRUE(whole.advance());
    }
    EXPECT_EQ(whole.step(), 65u); // 12 whole ones and what is left of each epoch
    auto accuracy = whole.accuracy(images_with_labels(data));
    ASSERT_TRUE(accuracy);
    EXPECT_GE(*accuracy, 0.9);
    for (const auto& state : states) {
      auto resumed = make(*on, data, plan);
      ASSERT_TRUE(resumed.restore(state));
      while (!resumed.done())
        ASSERT_TRUE(resumed.advance());
      EXPECT_EQ(resumed.state()->parameters, whole.state()->parameters) << state.step;
      EXPECT_EQ(resumed.state()->optimiser, whole.state()->optimiser) << state.step;
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
outcome run_rank(const dataset& data, const training_plan& plan, collective::group* gang,
                 const training_state* start) {
  outcome got;
  auto on = fast();
  auto made = make(*on, data, plan);
  EXPECT_TRUE(made.join({gang}));
  if (start && made.rank() == 0) {
    EXPECT_TRUE(made.restore(*start));
  }
  EXPECT_TRUE(made.synchronise());
  while (!made.done()) {
    auto loss = made.advance();
    EXPECT_TRUE(loss);
    if (!loss)
      return got;
    got.losses.push_back(*loss);
  }
  auto accuracy = made.accuracy(images_with_labels(data));
  EXPECT_TRUE(accuracy);
  got.accuracy = accuracy ? *accuracy : -1;
  got.state = *made.state();
  made.leave();
  return got;
}

std::vector<outcome> run_gang(const dataset& data, const training_plan& plan, uint32_t size,
                              uint64_t generation, const training_state* start) {
  std::vector<outcome> outcomes(size);
  in_a_gang(size, generation, [&](collective::group& gang) {
    outcomes[gang.rank()] = run_rank(data, plan, &gang, start);
  });
  return outcomes;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, float bound) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], wanted[i], bound) << i;
}

TEST(Trainer, AGangDoesWhatOneRankWithAllItsBatchesDoes) {
  auto owned = stripes(203);
  const auto& data = *owned;
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

// Gradients of the two ranks are added up in the process, or by a group of the devices.
training_state train_elsewhere(const dataset& data, const training_plan& plan,
                               collective::group& gang, bool on_devices) {
  auto operators = fast();
  auto elsewhere = test::make_deferred_device();
  auto on = test::make_deferred_backend(*operators, *elsewhere);
  auto devices = test::make_deferred_group(gang, *elsewhere);
  auto made = make(*on, data, plan);
  EXPECT_TRUE(made.join({&gang, on_devices ? devices.get() : nullptr}));
  EXPECT_TRUE(made.synchronise());
  while (!made.done())
    if (auto loss = made.advance(); !loss) {
      ADD_FAILURE() << loss.error().text;
      break;
    }
  EXPECT_TRUE(made.accuracy(images_with_labels(data)));
  auto state = made.state();
  EXPECT_TRUE(state);
  made.leave();
  return *std::move(state);
}

TEST(Trainer, AGangOnDevicesHasTheBitsOfOneOnProcessors) {
  auto owned
    = stripes(77); // 16 or 24 a step, and in the last one of an epoch not all ranks have two
  training_plan plan{.epochs = 2, .batch = 4, .accumulate = 2, .clip_norm = 0.5F, .loss_scale = 8};
  uint64_t generation = 20;
  for (uint32_t ranks : {2U, 3U}) {
    auto expected = run_gang(*owned, plan, ranks, ++generation, nullptr);
    for (auto on_devices : {false, true}) {
      in_a_gang(ranks, ++generation, [&](collective::group& gang) {
        auto got = train_elsewhere(*owned, plan, gang, on_devices);
        EXPECT_EQ(got.parameters, expected[0].state.parameters) << on_devices;
        EXPECT_EQ(got.optimiser, expected[0].state.optimiser) << on_devices;
        EXPECT_EQ(got.loss_scale, expected[0].state.loss_scale) << on_devices;
      });
    }
  }
}

TEST(Trainer, AGangGoesOnFromTheStateThatIsFarthest) {
  auto owned = stripes(100);
  const auto& data = *owned;
  training_plan plan{.epochs = 2, .batch = 8};
  auto on = fast();
  auto start = *make(*on, data, plan).state();
  start.step = 7;
  start.updates = 7;
  start.epoch = 1;
  start.consumed = 12;
  for (auto& x : start.parameters)
    x *= 0.5F;
  for (auto& x : start.optimiser)
    x = 0.001F;
  auto once = run_gang(data, plan, 2, 11, &start);
  auto again = run_gang(data, plan, 2, 12, &start);
  EXPECT_EQ(once[0].losses.size(), 6u); // of 88 samples
  EXPECT_EQ(once[0].state.parameters, once[1].state.parameters);
  EXPECT_EQ(once[0].state.optimiser, once[1].state.optimiser);
  EXPECT_EQ(once[0].state.parameters, again[1].state.parameters);
}

// Its target is the sample's index, its input is 0, and nothing is learned: the losses of an epoch
// add up to the squares of the indices that were used.
constexpr size_t indexed = 101;
constexpr double squares = 100.0 * 101 * 201 / 6;

std::unique_ptr<dataset> indices() {
  std::vector<uint8_t> numbers(indexed);
  std::iota(numbers.begin(), numbers.end(), uint8_t{0});
  return labelled_images(1, 1, std::vector<uint8_t>(indexed, 0), numbers);
}

trainer counting(const kernels::backend& on, const dataset& data) {
  training_plan plan{.epochs = 1, .batch = 1, .optimiser = {.learning_rate = 1e-30F}};
  network net(on.where());
  net.add(on.dense({1, 1}, {.features = 1}));
  TROUPE_ASSERT(net.finish(on.mean_squared_error({1, 1}), 1));
  auto made = trainer::make(on, std::move(net),
                            {.from = &data, .inputs = "image", .targets = "label"}, plan);
  TROUPE_ASSERT(made);
  return *std::move(made);
}

TEST(Trainer, EachSampleIsUsedOnceInAnEpochWhateverBecomesOfTheGang) {
  auto owned = indices();
  const auto& data = *owned;
  auto on = kernels::cpu::make_backend();
  double sum = 0;
  // Three ranks, then one of them, then two: each gang from the state of the last rank.
  training_state state;
  uint64_t generation = 0;
  for (uint32_t ranks : {3U, 1U, 2U}) {
    std::vector<training_state> states(ranks);
    in_a_gang(ranks, ++generation, [&](collective::group& gang) {
      auto made = counting(*on, data);
      if (generation > 1 && gang.rank() == ranks - 1) {
        ASSERT_TRUE(made.restore(state));
      }
      ASSERT_TRUE(made.join({&gang}));
      ASSERT_TRUE(made.synchronise());
      for (int step = 0; (step < 10 || generation == 3) && !made.done(); ++step) {
        auto before = made.samples_done();
        auto loss = made.advance();
        ASSERT_TRUE(loss) << loss.error().text;
        if (gang.rank() == 0)
          sum += double{*loss} * static_cast<double>(made.samples_done() - before);
      }
      states[gang.rank()] = *made.state();
      made.leave();
    });
    state = states.back();
  }
  EXPECT_EQ(state.epoch, 1u);
  EXPECT_NEAR(sum, squares, 0.1);
}

TEST(Trainer, AStepThatFailedIsMadeAgainAsIfNothingHadHappened) {
  auto owned = stripes(64);
  const auto& data = *owned;
  training_plan plan{.epochs = 2, .batch = 8};
  auto on = fast();
  auto whole = make(*on, data, plan);
  auto broken = make(*on, data, plan);
  while (!whole.done())
    ASSERT_TRUE(whole.advance());
  // A gang of two whose other member goes after three steps; the survivor takes its samples.
  auto name = "troupe_replay_" + std::to_string(getpid());
  std::thread other([&] {
    collective::group_options options{.rank = 1, .size = 2, .secret = "s"};
    auto gang = collective::join_shm(options, name);
    ASSERT_TRUE(gang) << gang.error().text;
    auto made = make(*on, data, plan);
    ASSERT_TRUE(made.join({gang->get()}));
    for (int step = 0; step < 3; ++step)
      ASSERT_TRUE(made.advance());
    made.leave();
  });
  collective::group_options options{.rank = 0, .size = 2, .secret = "s"};
  auto gang = collective::join_shm(options, name);
  ASSERT_TRUE(gang) << gang.error().text;
  ASSERT_TRUE(broken.join({gang->get()}));
  while (broken.advance())
    ASSERT_FALSE(broken.done());
  other.join();
  EXPECT_EQ(broken.step(), 3u);
  EXPECT_EQ(broken.samples_done(), 48u);
  broken.leave();
  auto before = *broken.state();
  ASSERT_TRUE(broken.join({}));
  EXPECT_EQ(broken.state()->parameters, before.parameters);
  while (!broken.done())
    ASSERT_TRUE(broken.advance());
  EXPECT_EQ(broken.samples_done(), whole.samples_done());
}

TEST(Trainer, AccumulatesAndClipsAsOneLargeBatchDoes) {
  auto owned = stripes(96);
  const auto& data = *owned;
  training_plan large{.epochs = 2, .batch = 24, .clip_norm = 0.5F};
  auto small = large;
  small.batch = 8;
  small.accumulate = 3;
  auto one = run_rank(data, large, nullptr, nullptr);
  auto many = run_rank(data, small, nullptr, nullptr);
  expect_near(many.losses, one.losses, 1e-3F);
  expect_near(many.state.parameters, one.state.parameters, 1e-3F);
  auto free = large;
  free.clip_norm = 0;
  EXPECT_NE(run_rank(data, free, nullptr, nullptr).state.parameters, one.state.parameters);
}

TEST(Trainer, ALossScaleThatIsTooLargeIsHalvedUntilGradientsAreFinite) {
  auto owned = stripes(32);
  const auto& data = *owned;
  training_plan plan{.epochs = 1, .batch = 1, .loss_scale = 3e38F};
  auto on = fast();
  auto made = make(*on, data, plan);
  auto before = made.state()->parameters;
  ASSERT_TRUE(made.advance());
  auto state = *made.state();
  EXPECT_EQ(state.updates + 1, state.step);
  EXPECT_EQ(state.parameters, before);
  EXPECT_FLOAT_EQ(state.loss_scale, 1.5e38F);
  plan.batch = 16;
  plan.loss_scale = 1024;
  auto scaled = run_rank(data, plan, nullptr, nullptr);
  plan.loss_scale = 0;
  auto plain = run_rank(data, plan, nullptr, nullptr);
  EXPECT_EQ(scaled.state.parameters, plain.state.parameters); // a power of two changes no bits
}

TEST(Trainer, RefusesPlansAndStatesThatMakeNoSense) {
  auto owned = stripes(20);
  const auto& data = *owned;
  auto on = kernels::cpu::make_backend();
  auto refused = [&](training_plan plan) {
    auto net = make_image_network(*on, {.batch = plan.batch, .rows = 10, .columns = 10}, 1);
    TROUPE_ASSERT(net);
    auto made = trainer::make(*on, *std::move(net), images_with_labels(data), plan);
    return !made && made.error().code == errc::invalid;
  };
  training_plan plan{.batch = 4};
  EXPECT_FALSE(refused(plan));
  EXPECT_TRUE(refused({.epochs = 0, .batch = 4}));
  EXPECT_TRUE(refused({.batch = 4, .accumulate = 0}));
  EXPECT_TRUE(refused({.batch = 4, .clip_norm = -1}));
  EXPECT_TRUE(refused({.batch = 4, .loss_scale = NAN}));
  plan.optimiser.learning_rate = -1;
  EXPECT_TRUE(refused(plan));
  plan = {.batch = 4};
  plan.rate.warm_up = 1;
  EXPECT_TRUE(refused(plan));
  auto made = make(*on, data, {.epochs = 1, .batch = 4});
  auto state = *made.state();
  state.consumed = 20;
  EXPECT_FALSE(made.restore(state));
  state.consumed = 4;
  state.optimiser.pop_back();
  EXPECT_FALSE(made.restore(state));
  EXPECT_EQ(made.step(), 0u);
}

TEST(Schedule, RisesInALineAndFallsToNothing) {
  schedule x{.warm_up = 0.1, .falls = decay::linear};
  EXPECT_FLOAT_EQ(factor_at(x, 0, 0.05), 0.5F);
  EXPECT_FLOAT_EQ(factor_at(x, 0.05, 0.1), 1);
  EXPECT_FLOAT_EQ(factor_at(x, 0.55, 0.6), 0.5F);
  x.falls = decay::cosine;
  EXPECT_FLOAT_EQ(factor_at(x, 0.1, 0.2), 1);
  EXPECT_FLOAT_EQ(factor_at(x, 0.55, 0.6), 0.5F);
  EXPECT_LT(factor_at(x, 0.95, 1), 0.02F);
  x.falls = decay::none;
  EXPECT_FLOAT_EQ(factor_at(x, 0.9, 1), 1);
  x.warm_up = 0;
  EXPECT_FLOAT_EQ(factor_at(x, 0, 0.1), 1);
}

} // namespace
} // namespace troupe::training
