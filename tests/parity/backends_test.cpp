// Every operator, at shapes of every kind, on every backend against the reference.
#include "tests/parity/arrays.hpp"

#include <functional>

namespace troupe::kernels {
namespace {

using make_op = std::function<result<std::unique_ptr<op>>(const backend&, const shape& input)>;

struct op_case {
  const char* name;
  make_op make;
  std::vector<shape> inputs;
  double bound;        // of |difference| / (1 + |reference|)
  size_t ids = 0;      // the inputs are whole numbers below it
  double rounded = -1; // the bound where products are bf16, if the op has products
};

make_op conv2d(size_t channels, size_t kernel, size_t stride, size_t padding, bool relu = false) {
  return [=](const backend& on, const shape& input) {
    return on.conv2d(input, {channels, kernel, stride, padding, relu});
  };
}

make_op max_pool2d(size_t kernel, size_t stride) {
  return [=](const backend& on, const shape& input) {
    return on.max_pool2d(input, {kernel, stride});
  };
}

make_op avg_pool2d(size_t kernel, size_t stride) {
  return [=](const backend& on, const shape& input) {
    return on.avg_pool2d(input, {kernel, stride});
  };
}

make_op dense(size_t features, bool relu = false) {
  return [=](const backend& on, const shape& input) { return on.dense(input, {features, relu}); };
}

make_op activate(activation how) {
  return [=](const backend& on, const shape& input) { return on.activate(input, how); };
}

make_op batch_norm() {
  return [](const backend& on, const shape& input) { return on.batch_norm(input, {}); };
}

make_op layer_norm() {
  return [](const backend& on, const shape& input) { return on.layer_norm(input, {}); };
}

make_op dropout(float rate) {
  return [=](const backend& on, const shape& input) { return on.dropout(input, rate); };
}

make_op embedding(size_t words, size_t extent) {
  return [=](const backend& on, const shape& input) {
    return on.embedding(input, {words, extent});
  };
}

make_op lstm(size_t hidden, bool last) {
  return [=](const backend& on, const shape& input) { return on.lstm(input, {hidden, last}); };
}

make_op gru(size_t hidden, bool last) {
  return [=](const backend& on, const shape& input) { return on.gru(input, {hidden, last}); };
}

const std::vector<shape> rows{{1}, {3, 5}, {2, 3, 7, 11}, {1, 4097}};
const std::vector<shape> images{{1, 1, 2, 2}, {3, 5, 7, 9}, {2, 17, 28, 28}, {4, 16, 8, 6}};
const std::vector<shape> sequences{{1, 1, 1}, {3, 5, 7}, {17, 4, 33}, {2, 9, 16}};

// Extents of one, odd ones, and ones above and beside the tiles of 16 channels and 64 columns.
const std::vector<op_case> cases{
  {"conv2d 1x1", conv2d(1, 1, 1, 0), {{1, 1, 1, 1}, {3, 5, 7, 3}, {2, 17, 9, 9}}, 1e-5, 0, 0.1},
  {"conv2d same", conv2d(16, 3, 1, 1), {{1, 1, 1, 1}, {4, 1, 28, 28}, {3, 16, 13, 7}}, 1e-4, 0, .1},
  {"conv2d odd", conv2d(7, 3, 1, 0), {{1, 3, 3, 3}, {5, 3, 11, 5}, {2, 33, 8, 67}}, 1e-4},
  {"conv2d 5x5", conv2d(8, 5, 1, 2), {{2, 1, 28, 28}, {3, 4, 6, 5}}, 1e-4},
  {"conv2d strided", conv2d(17, 3, 2, 1), {{1, 2, 2, 2}, {3, 3, 8, 8}, {2, 16, 15, 9}}, 1e-4},
  {"conv2d relu", conv2d(16, 3, 1, 1, true), {{2, 1, 8, 8}, {3, 16, 13, 7}, {1, 3, 5, 4}}, 1e-4},
  {"conv2d odd relu", conv2d(5, 3, 1, 0, true), {{2, 1, 8, 8}, {3, 16, 13, 7}}, 1e-4},
  {"max_pool2d", max_pool2d(2, 2), images, 0},
  {"max_pool2d overlapping", max_pool2d(3, 2), {{1, 1, 3, 3}, {2, 3, 8, 7}, {1, 33, 15, 66}}, 1e-6},
  {"avg_pool2d", avg_pool2d(2, 2), images, 1e-6},
  {"avg_pool2d overlapping", avg_pool2d(3, 2), {{1, 1, 3, 3}, {2, 3, 8, 7}, {1, 33, 15, 66}}, 1e-6},
  {"dense", dense(10), {{1, 1}, {7, 5}, {65, 129}, {64, 8, 7, 7}}, 1e-4, 0, 0.1},
  {"dense to one", dense(1), {{1, 1}, {3, 33}}, 1e-4, 0, 0.1},
  {"dense wide", dense(257), {{1, 64}, {33, 65}}, 1e-4, 0, 0.1},
  {"dense relu", dense(19, true), {{1, 1}, {7, 5}, {65, 129}}, 1e-4},
  {"relu", activate(activation::relu), rows, 0},
  {"tanh", activate(activation::tanh), rows, 1e-6},
  {"sigmoid", activate(activation::sigmoid), rows, 1e-6},
  {"gelu", activate(activation::gelu), rows, 1e-6},
  {"batch_norm 2d", batch_norm(), images, 1e-4},
  {"batch_norm 1d", batch_norm(), {{2, 1}, {7, 5}, {64, 129}}, 1e-4},
  {"layer_norm", layer_norm(), {{2, 5}, {7, 3, 33}, {1, 1027}, {64, 128}}, 1e-4},
  {"dropout", dropout(0.3F), rows, 1e-6},
  {"embedding", embedding(11, 5), {{1, 1}, {3, 7}, {64, 12}}, 1e-6, 11},
  {"lstm", lstm(6, false), sequences, 1e-4, 0, 0.1},
  {"lstm last", lstm(33, true), sequences, 1e-4, 0, 0.1},
  {"lstm of one", lstm(1, false), sequences, 1e-4},
  {"gru", gru(6, false), sequences, 1e-4, 0, 0.1},
  {"gru last", gru(33, true), sequences, 1e-4, 0, 0.1},
};

struct outcome {
  std::vector<float> output, input_gradient, parameter_gradient;
};

outcome run(op& of, const op_case& c, uint64_t seed) {
  auto input = c.ids ? ids(elements(of.input_shape()), c.ids, seed)
                     : noise(elements(of.input_shape()), seed);
  auto parameters = noise(of.parameter_count(), seed + 1);
  auto gradient = noise(elements(of.output_shape()), seed + 2);
  // Results overwrite: what lay there before must not matter.
  outcome got{std::vector<float>(gradient.size(), NAN), std::vector<float>(input.size(), NAN),
              std::vector<float>(parameters.size(), NAN)};
  EXPECT_TRUE(of.forward({true, seed}, input, parameters, got.output));
  EXPECT_TRUE(of.backward(input, parameters, gradient, got.input_gradient, got.parameter_gradient));
  return got;
}

void compare(const backend& ours, const backend& reference, const op_case& c, double bound) {
  for (const auto& input : c.inputs) {
    SCOPED_TRACE(std::string(ours.name()) + " " + c.name + " " + to_string(input));
    auto mine = c.make(ours, input);
    auto theirs = c.make(reference, input);
    ASSERT_TRUE(mine) << mine.error().text;
    ASSERT_TRUE(theirs) << theirs.error().text;
    ASSERT_EQ((*mine)->output_shape(), (*theirs)->output_shape());
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      auto got = run(**mine, c, seed);
      auto wanted = run(**theirs, c, seed);
      expect_near(got.output, wanted.output, bound, "output");
      expect_near(got.input_gradient, wanted.input_gradient, bound, "input gradient");
      expect_near(got.parameter_gradient, wanted.parameter_gradient, bound, "parameter gradient");
      expect_near((*mine)->statistics(), (*theirs)->statistics(), bound, "statistics");
    }
  }
}

TEST(ParityOnGpu, IsAmongTheseWhereThereIsOne) {
  TROUPE_NEEDS_GPUS(1, "operators of a GPU against the reference");
}

TEST(Parity, EveryOperatorOnEveryBackend) {
  auto reference = cpu::make_backend();
  for (const auto& other : others())
    for (const auto& c : cases)
      compare(*other, *reference, c, c.bound);
}

TEST(Parity, RoundedProductsOnEveryBackend) {
  for (auto type : {precision::bf16, precision::f16}) {
    auto reference = cpu::make_backend(type);
    auto unit = type == precision::bf16 ? 1.0 : 0.125; // f16 has three bits more
    for (const auto& other : others(type))
      for (const auto& c : cases)
        if (c.rounded > 0)
          compare(*other, *reference, c, c.rounded * unit);
  }
}

// The reference too: its results are near the exact ones, and not equal to them.
TEST(Parity, RoundedProductsAreNearTheExactOnes) {
  auto exact = cpu::make_backend();
  for (auto type : {precision::bf16, precision::f16}) {
    auto on = cpu::make_backend(type);
    auto unit = type == precision::bf16 ? 1.0 : 0.125;
    for (const auto& c : cases)
      if (c.rounded > 0) {
        compare(*on, *exact, c, c.rounded * unit);
        auto input = c.inputs.back();
        auto a = run(**c.make(*on, input), c, 1);
        auto b = run(**c.make(*exact, input), c, 1);
        EXPECT_NE(a.output, b.output) << c.name;
        EXPECT_NE(a.parameter_gradient, b.parameter_gradient) << c.name;
      }
  }
}

TEST(Parity, TheSameBitsEachTime) {
  for (const auto& other : others())
    for (const auto& c : cases)
      for (const auto& input : c.inputs) {
        auto made = c.make(*other, input);
        ASSERT_TRUE(made);
        auto once = run(**made, c, 5);
        auto again = run(**made, c, 5);
        EXPECT_EQ(once.output, again.output) << c.name;
        EXPECT_EQ(once.input_gradient, again.input_gradient) << c.name;
        EXPECT_EQ(once.parameter_gradient, again.parameter_gradient) << c.name;
      }
}

TEST(Parity, OfEqualValuesTheFirstGetsTheGradient) {
  for (const auto& on : all()) {
    auto made = on->max_pool2d({1, 1, 4, 4}, {2, 2});
    ASSERT_TRUE(made);
    std::vector<float> input(16, 1.0F), output(4), gradient{1, 2, 3, 4}, back(16);
    ASSERT_TRUE((*made)->forward({}, input, {}, output));
    ASSERT_TRUE((*made)->backward(input, {}, gradient, back, {}));
    EXPECT_EQ(back, (std::vector<float>{1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0}))
      << on->name();
  }
}

// Where exp() of the raw value would overflow, and where a gradient vanishes.
TEST(Parity, ActivationsOfLargeValues) {
  auto reference = cpu::make_backend();
  std::vector<float> input{-1000, -90, -20, -5, -1e-4F, 0, 1e-4F, 5, 20, 90, 1000};
  const std::vector<float> slope(input.size(), 1);
  for (const auto& other : others())
    for (auto how : {activation::relu, activation::tanh, activation::sigmoid, activation::gelu}) {
      std::vector<float> got(input.size()), wanted(input.size());
      auto ours = other->activate({input.size()}, how);
      auto theirs = reference->activate({input.size()}, how);
      ASSERT_TRUE(ours && theirs);
      ASSERT_TRUE((*ours)->forward({}, input, {}, got));
      ASSERT_TRUE((*theirs)->forward({}, input, {}, wanted));
      expect_near(got, wanted, 1e-6, "output");
      ASSERT_TRUE((*ours)->backward(input, {}, slope, got, {}));
      ASSERT_TRUE((*theirs)->backward(input, {}, slope, wanted, {}));
      expect_near(got, wanted, 1e-6, "gradient");
    }
}

} // namespace
} // namespace troupe::kernels
