// What a rank computes with: the choice, and training on a GPU beside the processor.
#include "actors/training/compute.hpp"
#include "actors/training/image_network.hpp"
#include "tests/support/gpu.hpp"
#include "tests/support/labelled_images.hpp"
#include "tests/support/shared_gang.hpp"

#include <gtest/gtest.h>

namespace troupe::training {
namespace {

using test::in_a_gang;

std::unique_ptr<compute> must_open(computing wanted, int gpu = 0) {
  auto opened = compute::open(wanted, gpu);
  EXPECT_TRUE(opened) << opened.error().text;
  return opened ? *std::move(opened) : nullptr;
}

TEST(Compute, TheProcessorIsThereAlways) {
  auto on = must_open(computing::processor);
  ASSERT_TRUE(on);
  EXPECT_TRUE(on->backend().where().is_processor());
  EXPECT_NE(on->describe().find("processor"), std::string::npos) << on->describe();
}

TEST(Compute, AnyIsTheProcessorWhereNoGpuIs) {
  if (test::count_gpus() > 0)
    GTEST_SKIP() << "skipped: there is a device";
  auto on = must_open(computing::any);
  ASSERT_TRUE(on);
  EXPECT_TRUE(on->backend().where().is_processor());
}

TEST(Compute, AGpuThatIsNotThereIsAnError) {
  if (test::count_gpus() > 0)
    GTEST_SKIP() << "skipped: there is a device";
  auto on = compute::open(computing::gpu);
  ASSERT_FALSE(on);
  EXPECT_TRUE(on.error().code == errc::not_found || on.error().code == errc::unavailable)
    << on.error().text;
}

// All ranks learn that none has a GPU, and the group goes on.
TEST(Compute, ProcessorsHaveNoGroupOfDevices) {
  in_a_gang(3, 1, [](collective::group& ranks) {
    auto on = must_open(computing::processor);
    auto devices = on->join(ranks, std::chrono::seconds(30));
    ASSERT_TRUE(devices) << devices.error().text;
    EXPECT_EQ(*devices, nullptr);
    EXPECT_TRUE(ranks.barrier());
  });
}

constexpr size_t side = 28; // gradients fill several buckets, and filters begin at odd places
constexpr size_t plane = side * side;

// Class c is bright in row c.
std::unique_ptr<dataset> stripes(size_t count) {
  std::vector<uint8_t> pixels(count * plane);
  std::vector<uint8_t> labels(count);
  for (size_t i = 0; i < pixels.size(); ++i) {
    labels[i / plane] = static_cast<uint8_t>(i / plane * 7 % 10);
    auto bright = i % plane / side == labels[i / plane];
    pixels[i] = static_cast<uint8_t>(i * 31 % 97 + (bright ? 150 : 0));
  }
  return labelled_images(side, side, pixels, labels);
}

struct outcome {
  std::vector<float> losses;
  training_state state;
};

outcome train(compute& on, const dataset& data, collective::group* ranks) {
  training_plan plan{.epochs = 2, .batch = 8, .accumulate = 2, .clip_norm = 1};
  auto net
    = make_image_network(on.backend(), {.batch = plan.batch, .channels_first = 5}, plan.seed);
  TROUPE_ASSERT(net);
  auto made = trainer::make(on.backend(), *std::move(net), images_with_labels(data), plan);
  TROUPE_ASSERT(made);
  std::unique_ptr<collective::group> devices;
  if (ranks) {
    auto joined = on.join(*ranks, std::chrono::seconds(30));
    EXPECT_TRUE(joined) << joined.error().text;
    devices = joined ? *std::move(joined) : nullptr;
  }
  EXPECT_TRUE(made->join({ranks, devices.get()}));
  EXPECT_TRUE(made->synchronise());
  outcome out;
  while (!made->done()) {
    auto loss = made->advance();
    EXPECT_TRUE(loss) << loss.error().text;
    if (!loss)
      break;
    out.losses.push_back(*loss);
  }
  out.state = *made->state();
  made->leave();
  return out;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], wanted[i], 2e-3F) << i;
}

TEST(Compute, AGpuTrainsAsTheProcessorDoes) {
  TROUPE_NEEDS_GPUS(1, "training on a GPU");
  auto data = stripes(200);
  auto here = train(*must_open(computing::processor), *data, nullptr);
  auto on = must_open(computing::gpu);
  auto there = train(*on, *data, nullptr);
  expect_near(there.losses, here.losses);
  expect_near(there.state.parameters, here.state.parameters);
  EXPECT_EQ(train(*on, *data, nullptr).state.parameters, there.state.parameters);
}

// On one GPU the ranks' gradients meet in the process; on two, over NCCL.
TEST(Compute, AGangOnGpusTrainsAsProcessorsDo) {
  TROUPE_NEEDS_GPUS(1, "a gang on GPUs");
  auto data = stripes(200);
  std::vector<outcome> here(2), there(2);
  in_a_gang(2, 2, [&](collective::group& ranks) {
    here[ranks.rank()] = train(*must_open(computing::processor), *data, &ranks);
  });
  auto gpus = test::count_gpus();
  in_a_gang(2, 3, [&](collective::group& ranks) {
    auto on = must_open(computing::gpu, static_cast<int>(ranks.rank()) % gpus);
    there[ranks.rank()] = train(*on, *data, &ranks);
  });
  EXPECT_EQ(there[0].state.parameters, there[1].state.parameters);
  expect_near(there[0].losses, here[0].losses);
  expect_near(there[0].state.parameters, here[0].state.parameters);
}

} // namespace
} // namespace troupe::training
