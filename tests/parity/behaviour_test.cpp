// What an operator does besides arithmetic: its modes, its chance, what it refuses.
#include "kernels/collective/element.hpp"
#include "kernels/precision.hpp"
#include "tests/parity/arrays.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace troupe::kernels {
namespace {

std::vector<float> forward(op& of, const pass& in, const std::vector<float>& input,
                           const std::vector<float>& parameters = {}) {
  std::vector<float> output(elements(of.output_shape()), NAN);
  EXPECT_TRUE(of.forward(in, input, parameters, output));
  return output;
}

TEST(Dropout, KeepsItsRateAndScale) {
  constexpr size_t size = 100003;
  const std::vector<float> ones(size, 1);
  for (const auto& on : all())
    for (float rate : {0.0F, 0.25F, 0.9F}) {
      auto made = on->dropout({size}, rate);
      ASSERT_TRUE(made);
      auto once = forward(**made, {true, 7}, ones);
      auto dropped = static_cast<double>(std::count(once.begin(), once.end(), 0.0F));
      // Six standard deviations of the binomial distribution.
      EXPECT_NEAR(dropped / size, rate, 6 * std::sqrt(rate * (1 - rate) / size)) << on->name();
      for (auto x : once)
        EXPECT_TRUE(x == 0 || x == 1 / (1 - rate)) << x;
      std::vector<float> back(size);
      ASSERT_TRUE((*made)->backward(ones, {}, ones, back, {}));
      EXPECT_EQ(back, once);
      EXPECT_EQ(forward(**made, {true, 7}, ones), once);
      if (rate > 0) {
        EXPECT_NE(forward(**made, {true, 8}, ones), once);
      }
      EXPECT_EQ(forward(**made, {false, 7}, ones), ones);
      ASSERT_TRUE((*made)->backward(ones, {}, ones, back, {}));
      EXPECT_EQ(back, ones);
    }
}

TEST(BatchNorm, KeepsRunningStatisticsAndUsesThemInEvaluation) {
  for (const auto& on : all())
    for (const auto& input : {shape{8, 3}, shape{4, 3, 5, 5}}) {
      auto made = on->batch_norm(input, {.epsilon = 1e-3F, .momentum = 0.25F});
      ASSERT_TRUE(made);
      EXPECT_EQ(std::vector<float>((*made)->statistics().begin(), (*made)->statistics().end()),
                (std::vector<float>{0, 0, 0, 1, 1, 1}));
      const std::vector<float> parameters{1, 2, 3, 0, 1, 2};
      auto batch = noise(elements(input), 1);
      forward(**made, {true}, batch, parameters);
      auto plane = batch.size() / input[0] / 3;
      std::vector<double> mean(3), variance(3);
      auto count = static_cast<double>(input[0] * plane);
      auto channel = [&](size_t i) { return i / plane % 3; };
      for (size_t i = 0; i < batch.size(); ++i)
        mean[channel(i)] += batch[i] / count;
      for (size_t i = 0; i < batch.size(); ++i)
        variance[channel(i)] += std::pow(batch[i] - mean[channel(i)], 2) / (count - 1);
      std::vector<float> wanted;
      for (size_t c = 0; c < 3; ++c)
        wanted.push_back(static_cast<float>(0.25 * mean[c]));
      for (size_t c = 0; c < 3; ++c)
        wanted.push_back(static_cast<float>(0.75 + 0.25 * variance[c]));
      expect_near((*made)->statistics(), wanted, 1e-5, "statistics");
      // Evaluation: another batch, and neither its statistics count nor are they kept.
      auto other = noise(batch.size(), 2);
      auto output = forward(**made, {false}, other, parameters);
      expect_near((*made)->statistics(), wanted, 1e-5, "statistics");
      for (size_t i = 0; i < output.size(); ++i) {
        auto c = channel(i);
        EXPECT_NEAR(output[i],
                    (other[i] - wanted[c]) / std::sqrt(wanted[3 + c] + 1e-3F) * parameters[c]
                      + parameters[3 + c],
                    1e-5);
      }
      std::vector<float> back(batch.size()), update(6), ones(batch.size(), 1);
      ASSERT_TRUE((*made)->backward(other, parameters, ones, back, update));
      EXPECT_NEAR(back[0], parameters[0] / std::sqrt(wanted[3] + 1e-3F), 1e-5);
    }
}

TEST(BatchNorm, CannotLearnFromOneValue) {
  for (const auto& on : all()) {
    auto made = on->batch_norm({1, 2}, {});
    ASSERT_TRUE(made);
    std::vector<float> input(2), parameters(4), output(2);
    EXPECT_TRUE(refused((*made)->forward({true}, input, parameters, output)));
    EXPECT_TRUE((*made)->forward({false}, input, parameters, output));
  }
}

TEST(Embedding, RefusesWhatIsNoToken) {
  for (const auto& on : all()) {
    auto made = on->embedding({1, 2}, {4, 3});
    ASSERT_TRUE(made);
    std::vector<float> parameters(12), output(6);
    for (float id : {4.0F, -1.0F, 1.5F, NAN}) {
      std::vector<float> input{0, id};
      EXPECT_TRUE(refused((*made)->forward({}, input, parameters, output))) << id;
    }
  }
}

TEST(Recurrent, TheLastStepIsTheLastOfAll) {
  for (const auto& on : all()) {
    auto each = on->lstm({3, 4, 5}, {6, false});
    auto last = on->lstm({3, 4, 5}, {6, true});
    ASSERT_TRUE(each && last);
    auto input = noise(60, 1);
    auto parameters = noise((*each)->parameter_count(), 2);
    auto steps = forward(**each, {}, input, parameters);
    auto end = forward(**last, {}, input, parameters);
    for (size_t n = 0; n < 3; ++n)
      for (size_t i = 0; i < 6; ++i)
        EXPECT_EQ(end[n * 6 + i], steps[(n * 4 + 3) * 6 + i]);
  }
}

TEST(Parameters, AreAListWithPlacesAndInitialValues) {
  for (const auto& on : all()) {
    auto made = on->lstm({2, 3, 5}, {4});
    ASSERT_TRUE(made);
    const auto& list = (*made)->parameters();
    ASSERT_EQ(list.size(), 4u);
    EXPECT_EQ(list[0].name, "weight_ih_l0");
    EXPECT_EQ(list[0].extents, (shape{16, 5}));
    EXPECT_EQ(list[1].extents, (shape{16, 4}));
    EXPECT_EQ((*made)->offset_of(1), 80u);
    EXPECT_EQ((*made)->offset_of(3), 160u);
    EXPECT_EQ((*made)->parameter_count(), 176u);
    EXPECT_FLOAT_EQ(list[0].spread, 0.5F);
    auto norm = on->layer_norm({2, 3}, {});
    ASSERT_TRUE(norm);
    EXPECT_EQ((*norm)->parameters()[0].centre, 1.0F);
    EXPECT_EQ((*norm)->parameters()[0].spread, 0.0F);
  }
}

// Against the conversions of collectives, for all kinds of numbers.
TEST(Rounding, IsToTheNearest) {
  std::vector<float> values;
  random_source random{5};
  for (size_t i = 0; i < 200000; ++i)
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(random.next())));
  for (float x :
       {0.0F, -0.0F, INFINITY, -INFINITY, 65504.0F, 65519.0F, 65520.0F, 0x1p-14F, 0x1p-24F,
        0x1p-25F, 0x1.8p-25F, 0x1.ffep-15F, 0x1p-126F, 1.0F + 0x1p-11F, 1.0F + 0x3p-11F})
    values.push_back(x);
  for (auto x : noise(20000, 3)) // where f16 is subnormal, and about it
    values.push_back(x * 0x1p-13F);
  std::vector<float> got(values.size());
  auto same = [](float a, float b) {
    return std::isnan(b) ? std::isnan(a) : std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
  };
  round_to(precision::bf16, values, got);
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_TRUE(same(got[i], collective::to_float(collective::to_bfloat16(values[i]))))
      << values[i];
  round_to(precision::f16, values, got);
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_TRUE(same(got[i], collective::to_float(collective::to_float16(values[i]))))
      << values[i] << " " << got[i];
  round_to(precision::f32, values, got);
  EXPECT_TRUE(std::equal(values.begin(), values.end(), got.begin(), same));
}

TEST(Shapes, ThatMakeNoSenseAreRefusedByAll) {
  for (const auto& on : all()) {
    EXPECT_TRUE(refused(on->conv2d({0, 1, 8, 8}, {4, 3, 1, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8}, {4, 3, 1, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 2, 2}, {4, 3, 1, 0})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8, 8}, {0, 3, 1, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8, 8}, {4, 3, 0, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8, 8}, {4, 3, 1, 3})));
    EXPECT_TRUE(refused(on->conv2d({1u << 20, 1u << 20, 8, 8}, {4, 3, 1, 1})));
    EXPECT_TRUE(refused(on->max_pool2d({1, 1, 1, 1}, {2, 2})));
    EXPECT_TRUE(refused(on->max_pool2d({1, 1, 4, 4}, {2, 0})));
    EXPECT_TRUE(refused(on->avg_pool2d({1, 1, 4, 4}, {0, 1})));
    EXPECT_TRUE(refused(on->dense({0, 4}, {2})));
    EXPECT_TRUE(refused(on->dense({2, 4}, {0})));
    EXPECT_TRUE(refused(on->activate({2, 0}, activation::relu)));
    EXPECT_TRUE(refused(on->batch_norm({2, 3, 4}, {})));
    EXPECT_TRUE(refused(on->batch_norm({2, 3}, {.epsilon = 0})));
    EXPECT_TRUE(refused(on->batch_norm({2, 3}, {.momentum = 2})));
    EXPECT_TRUE(refused(on->layer_norm({2, 3}, {.epsilon = NAN})));
    EXPECT_TRUE(refused(on->dropout({2, 3}, 1)));
    EXPECT_TRUE(refused(on->dropout({2, 3}, -0.5F)));
    EXPECT_TRUE(refused(on->embedding({2, 3, 4}, {4, 4})));
    EXPECT_TRUE(refused(on->embedding({2, 3}, {0, 4})));
    EXPECT_TRUE(refused(on->embedding({2, 3}, {(1u << 24) + 1, 1})));
    EXPECT_TRUE(refused(on->lstm({2, 3}, {4})));
    EXPECT_TRUE(refused(on->lstm({2, 3, 4}, {0})));
    EXPECT_TRUE(refused(on->gru({2, 0, 4}, {4})));
    EXPECT_TRUE(refused(on->gru({2, 3, 4}, {1u << 20})));
    EXPECT_TRUE(refused(on->softmax_cross_entropy({4})));
    EXPECT_TRUE(refused(on->mean_squared_error({})));
    EXPECT_TRUE(refused(on->binary_cross_entropy({0})));
  }
}

} // namespace
} // namespace troupe::kernels
