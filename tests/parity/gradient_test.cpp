// The reference itself: each gradient against differences of its own forward pass.
#include "kernels/cpu/cpu.hpp"
#include "runtime/base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace troupe::kernels {
namespace {

// Values far from each other and from 0, in random order: a small step changes neither the winner
// of a pool nor the sign that relu sees.
std::vector<float> spread(size_t size, uint64_t seed) {
  random_source random{seed};
  std::vector<float> values(size);
  for (size_t i = 0; i < size; ++i)
    values[i] = (static_cast<float>(i) - static_cast<float>(size) / 2 + 0.25F)
                * (2.0F / static_cast<float>(size));
  for (size_t i = size; i > 1; --i)
    std::swap(values[i - 1], values[random.below(i)]);
  return values;
}

// A number that depends on all of the output: its gradient is `slope`.
double score(op& of, const std::vector<float>& input, const std::vector<float>& parameters,
             const std::vector<float>& slope) {
  std::vector<float> output(slope.size());
  EXPECT_TRUE(of.forward({}, input, parameters, output));
  double sum = 0;
  for (size_t i = 0; i < output.size(); ++i)
    sum += static_cast<double>(output[i]) * slope[i];
  return sum;
}

void check(op& of, const char* name) {
  SCOPED_TRACE(name);
  auto input = spread(elements(of.input_shape()), 1);
  auto parameters = spread(of.parameter_count(), 2);
  auto slope = spread(elements(of.output_shape()), 3);
  std::vector<float> output(slope.size()), back(input.size()), update(parameters.size());
  ASSERT_TRUE(of.forward({}, input, parameters, output));
  ASSERT_TRUE(of.backward(input, parameters, slope, back, update));
  auto compare = [&](std::vector<float>& at, const std::vector<float>& gradient) {
    const float step = 0x1p-9F;
    for (size_t i = 0; i < at.size(); ++i) {
      auto before = at[i];
      at[i] = before + step;
      auto above = score(of, input, parameters, slope);
      at[i] = before - step;
      auto below = score(of, input, parameters, slope);
      at[i] = before;
      EXPECT_NEAR((above - below) / (2.0 * step), gradient[i], 2e-3) << i;
    }
  };
  compare(input, back);
  compare(parameters, update);
}

TEST(Gradient, OfEachOperator) {
  auto on = cpu::make_backend();
  auto checked = [](result<std::unique_ptr<op>> made, const char* name) {
    ASSERT_TRUE(made) << made.error().text;
    check(**made, name);
  };
  checked(on->conv2d({2, 2, 5, 4}, {3, 3, 1, 1}), "conv2d");
  checked(on->conv2d({1, 3, 6, 7}, {2, 3, 2, 0}), "conv2d strided");
  checked(on->max_pool2d({2, 2, 5, 6}, {2, 2}), "max_pool2d");
  checked(on->max_pool2d({1, 2, 5, 7}, {3, 2}), "max_pool2d overlapping");
  checked(on->dense({3, 2, 4}, {5}), "dense");
  checked(on->activate({3, 17}, activation::relu), "relu");
}

TEST(Gradient, OfTheLoss) {
  auto made = cpu::make_backend()->softmax_cross_entropy({3, 5});
  ASSERT_TRUE(made);
  auto logits = spread(15, 1);
  std::vector<float> labels{0, 4, 2};
  std::vector<float> gradient(15), unused(15);
  ASSERT_TRUE((*made)->run(logits, labels, 3, 1, gradient));
  for (size_t i = 0; i < logits.size(); ++i) {
    const float step = 0x1p-7F;
    auto before = logits[i];
    logits[i] = before + step;
    auto above = (*made)->run(logits, labels, 3, 1, unused);
    logits[i] = before - step;
    auto below = (*made)->run(logits, labels, 3, 1, unused);
    logits[i] = before;
    ASSERT_TRUE(above && below);
    EXPECT_NEAR((*above - *below) / (2 * step), gradient[i], 1e-4) << i;
  }
}

TEST(Gradient, SgdFollowsItsDefinition) {
  std::vector<float> gradients{1.0F, -2.0F}, velocity{0.5F, 0.0F}, parameters{3.0F, 4.0F};
  cpu::update({.momentum = 0.5F, .weight_decay = 0.1F}, {1, 0.1F}, gradients, velocity, {},
              parameters);
  EXPECT_FLOAT_EQ(velocity[0], 0.5F * 0.5F + 1.0F + 0.3F);
  EXPECT_FLOAT_EQ(velocity[1], -2.0F + 0.4F);
  EXPECT_FLOAT_EQ(parameters[0], 3.0F - 0.1F * 1.55F);
  EXPECT_FLOAT_EQ(parameters[1], 4.0F + 0.1F * 1.6F);
}

} // namespace
} // namespace troupe::kernels
