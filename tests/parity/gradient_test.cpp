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

// Of token ids there is no gradient: they are given, and stay.
void check(op& of, const char* name, const std::vector<float>& tokens = {}) {
  SCOPED_TRACE(name);
  auto input = tokens.empty() ? spread(elements(of.input_shape()), 1) : tokens;
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
  if (tokens.empty())
    compare(input, back);
  else
    EXPECT_EQ(back, std::vector<float>(back.size()));
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
  checked(on->activate({3, 17}, activation::tanh), "tanh");
  checked(on->activate({3, 17}, activation::sigmoid), "sigmoid");
  checked(on->activate({3, 17}, activation::gelu), "gelu");
  checked(on->avg_pool2d({2, 2, 5, 6}, {2, 2}), "avg_pool2d");
  checked(on->avg_pool2d({1, 2, 5, 7}, {3, 2}), "avg_pool2d overlapping");
  checked(on->batch_norm({3, 2, 4, 2}, {}), "batch_norm 2d");
  checked(on->batch_norm({7, 3}, {}), "batch_norm 1d");
  checked(on->layer_norm({3, 2, 5}, {}), "layer_norm");
  checked(on->dropout({3, 17}, 0.4F), "dropout");
  checked(on->lstm({2, 3, 4}, {3, false}), "lstm");
  checked(on->lstm({2, 3, 4}, {3, true}), "lstm last");
  checked(on->gru({2, 3, 4}, {3, false}), "gru");
  checked(on->gru({2, 3, 4}, {3, true}), "gru last");
  auto embedding = on->embedding({2, 3}, {4, 2});
  ASSERT_TRUE(embedding);
  check(**embedding, "embedding", {0, 1, 3, 1, 1, 0});
}

TEST(Gradient, OfEachLoss) {
  auto on = cpu::make_backend();
  auto checked = [](result<std::unique_ptr<loss>> made, const std::vector<float>& targets) {
    ASSERT_TRUE(made);
    auto rows = (*made)->output_shape()[0];
    auto outputs = spread(elements((*made)->output_shape()), 1);
    std::vector<float> gradient(outputs.size()), unused(outputs.size());
    ASSERT_TRUE((*made)->run(outputs, targets, rows, 2, gradient));
    for (size_t i = 0; i < outputs.size(); ++i) {
      const float step = 0x1p-7F;
      auto before = outputs[i];
      outputs[i] = before + step;
      auto above = (*made)->run(outputs, targets, rows, 1, unused);
      outputs[i] = before - step;
      auto below = (*made)->run(outputs, targets, rows, 1, unused);
      outputs[i] = before;
      ASSERT_TRUE(above && below);
      EXPECT_NEAR(2 * (*above - *below) / (2 * step), gradient[i], 1e-3) << i;
    }
  };
  checked(on->softmax_cross_entropy({3, 5}), {0, 4, 2});
  checked(on->softmax_cross_entropy({2, 3, 4}), {0, 1, 2, 3, 0, 1});
  checked(on->mean_squared_error({3, 2}), {0, 1, -1, 2, 0.5F, 0});
  checked(on->binary_cross_entropy({2, 3}), {0, 1, 0.5F, 0.25F, 1, 0});
}

} // namespace
} // namespace troupe::kernels
