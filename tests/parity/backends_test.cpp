// Every operator, at shapes of every kind, on every backend against the reference.
#include "kernels/cpu/cpu.hpp"
#include "kernels/onednn/onednn.hpp"
#include "runtime/base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace troupe::kernels {
namespace {

using make_op = std::function<result<std::unique_ptr<op>>(const backend&, const shape& input)>;

struct op_case {
  const char* name;
  make_op make;
  std::vector<shape> inputs;
  double bound; // of |difference| / (1 + |reference|)
};

make_op conv2d(size_t channels, size_t kernel, size_t stride, size_t padding) {
  return [=](const backend& on, const shape& input) {
    return on.conv2d(input, {channels, kernel, stride, padding});
  };
}

make_op max_pool2d(size_t kernel, size_t stride) {
  return [=](const backend& on, const shape& input) {
    return on.max_pool2d(input, {kernel, stride});
  };
}

make_op dense(size_t features) {
  return [=](const backend& on, const shape& input) { return on.dense(input, {features}); };
}

make_op relu() {
  return [](const backend& on, const shape& input) { return on.activate(input, activation::relu); };
}

// Extents of one, odd ones, and ones above and beside oneDNN's tiles of 16 channels and 64 columns.
const std::vector<op_case> cases{
  {"conv2d 1x1", conv2d(1, 1, 1, 0), {{1, 1, 1, 1}, {3, 5, 7, 3}, {2, 17, 9, 9}}, 1e-5},
  {"conv2d 3x3 same", conv2d(16, 3, 1, 1), {{1, 1, 1, 1}, {4, 1, 28, 28}, {3, 16, 13, 7}}, 1e-4},
  {"conv2d 3x3 odd", conv2d(7, 3, 1, 0), {{1, 3, 3, 3}, {5, 3, 11, 5}, {2, 33, 8, 67}}, 1e-4},
  {"conv2d 5x5", conv2d(8, 5, 1, 2), {{2, 1, 28, 28}, {3, 4, 6, 5}}, 1e-4},
  {"conv2d strided", conv2d(17, 3, 2, 1), {{1, 2, 2, 2}, {3, 3, 8, 8}, {2, 16, 15, 9}}, 1e-4},
  {"max_pool2d", max_pool2d(2, 2), {{1, 1, 2, 2}, {3, 5, 7, 9}, {2, 17, 28, 28}}, 0},
  {"max_pool2d overlapping", max_pool2d(3, 2), {{1, 1, 3, 3}, {2, 3, 8, 7}, {1, 33, 15, 66}}, 1e-6},
  {"dense", dense(10), {{1, 1}, {7, 5}, {65, 129}, {64, 8, 7, 7}}, 1e-4},
  {"dense to one", dense(1), {{1, 1}, {3, 33}}, 1e-4},
  {"dense wide", dense(257), {{1, 64}, {33, 65}}, 1e-4},
  {"relu", relu(), {{1}, {3, 5}, {2, 3, 7, 11}, {1, 4097}}, 0},
};

std::vector<float> noise(size_t size, uint64_t seed) {
  random_source random{seed};
  std::vector<float> values(size);
  for (auto& x : values)
    x = static_cast<float>(random.real() * 2 - 1);
  return values;
}

struct outcome {
  std::vector<float> output, input_gradient, parameter_gradient;
};

outcome run(op& of, uint64_t seed) {
  auto input = noise(elements(of.input_shape()), seed);
  auto parameters = noise(of.parameter_count(), seed + 1);
  auto gradient = noise(elements(of.output_shape()), seed + 2);
  // Results overwrite: what lay there before must not matter.
  outcome p{std::vector<float>(gradient.size(), NAN), std::vector<float>(input.size(), NAN),
            std::vector<float>(parameters.size(), NAN)};
  EXPECT_TRUE(of.forward({}, input, parameters, p.output));
  EXPECT_TRUE(of.backward(input, parameters, gradient, p.input_gradient, p.parameter_gradient));
  return p;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, double bound,
                 const char* what) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::abs(double{got[i]} - wanted[i]), bound * (1 + std::abs(wanted[i])))
      << what << " at " << i << ": " << got[i] << ", not " << wanted[i];
}

std::vector<std::unique_ptr<backend>> others() {
  std::vector<std::unique_ptr<backend>> all;
  auto onednn = onednn::make_backend();
  EXPECT_TRUE(onednn);
  if (onednn)
    all.push_back(*std::move(onednn));
  return all;
}

TEST(Parity, EveryOperatorOnEveryBackend) {
  auto reference = cpu::make_backend();
  for (const auto& other : others())
    for (const auto& c : cases)
      for (const auto& input : c.inputs) {
        SCOPED_TRACE(std::string(other->name()) + " " + c.name + " " + to_string(input));
        auto ours = c.make(*other, input);
        auto theirs = c.make(*reference, input);
        ASSERT_TRUE(ours) << ours.error().text;
        ASSERT_TRUE(theirs) << theirs.error().text;
        ASSERT_EQ((*ours)->output_shape(), (*theirs)->output_shape());
        for (uint64_t seed = 1; seed <= 3; ++seed) {
          auto got = run(**ours, seed);
          auto wanted = run(**theirs, seed);
          expect_near(got.output, wanted.output, c.bound, "output");
          expect_near(got.input_gradient, wanted.input_gradient, c.bound, "input gradient");
          expect_near(got.parameter_gradient, wanted.parameter_gradient, c.bound,
                      "parameter gradient");
        }
      }
}

TEST(Parity, TheSameBitsEachTime) {
  for (const auto& other : others())
    for (const auto& c : cases)
      for (const auto& input : c.inputs) {
        auto made = c.make(*other, input);
        ASSERT_TRUE(made);
        auto once = run(**made, 5);
        auto again = run(**made, 5);
        EXPECT_EQ(once.output, again.output) << c.name;
        EXPECT_EQ(once.input_gradient, again.input_gradient) << c.name;
        EXPECT_EQ(once.parameter_gradient, again.parameter_gradient) << c.name;
      }
}

TEST(Parity, OfEqualValuesTheFirstGetsTheGradient) {
  auto all = others();
  all.push_back(cpu::make_backend());
  for (const auto& on : all) {
    auto made = on->max_pool2d({1, 1, 4, 4}, {2, 2});
    ASSERT_TRUE(made);
    std::vector<float> input(16, 1.0F), output(4), gradient{1, 2, 3, 4}, back(16);
    ASSERT_TRUE((*made)->forward({}, input, {}, output));
    ASSERT_TRUE((*made)->backward(input, {}, gradient, back, {}));
    EXPECT_EQ(back, (std::vector<float>{1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0}))
      << on->name();
  }
}

TEST(Parity, SoftmaxCrossEntropy) {
  auto reference = cpu::make_backend();
  for (const auto& other : others())
    for (const auto& logits : {shape{1, 1}, shape{1, 10}, shape{64, 10}, shape{33, 67}}) {
      SCOPED_TRACE(std::string(other->name()) + " " + to_string(logits));
      auto ours = other->softmax_cross_entropy(logits);
      auto theirs = reference->softmax_cross_entropy(logits);
      ASSERT_TRUE(ours);
      ASSERT_TRUE(theirs);
      // Large logits too: exp() of the raw value would overflow.
      for (float scale : {1.0F, 200.0F}) {
        auto values = noise(elements(logits), 3);
        for (auto& x : values)
          x *= scale;
        std::vector<float> labels(logits[0]);
        for (size_t n = 0; n < labels.size(); ++n)
          labels[n] = static_cast<float>(n * 7 % logits[1]);
        std::vector<float> got(values.size()), wanted(values.size());
        auto a = (*ours)->run(values, labels, labels.size(), 1, got);
        auto b = (*theirs)->run(values, labels, labels.size(), 1, wanted);
        ASSERT_TRUE(a);
        ASSERT_TRUE(b);
        EXPECT_NEAR(*a, *b, 1e-5 * (1 + std::abs(*b)));
        expect_near(got, wanted, 1e-5, "gradient");
      }
    }
}

TEST(Parity, Sgd) {
  auto reference = cpu::make_backend();
  for (const auto& other : others())
    for (size_t size : {size_t{0}, size_t{1}, size_t{17}, size_t{1000}}) {
      auto gradients = noise(size, 1);
      auto velocity = noise(size, 2), velocity_2 = velocity;
      auto parameters = noise(size, 3), parameters_2 = parameters;
      optimiser_options how{.momentum = 0.9F, .weight_decay = 0.01F};
      other->update(how, {1, 0.1F}, gradients, velocity, {}, parameters);
      reference->update(how, {1, 0.1F}, gradients, velocity_2, {}, parameters_2);
      expect_near(velocity, velocity_2, 1e-6, "velocity");
      expect_near(parameters, parameters_2, 1e-6, "parameters");
    }
}

TEST(Parity, ImpossibleShapesAreRefusedByAll) {
  auto all = others();
  all.push_back(cpu::make_backend());
  for (const auto& on : all) {
    auto refused = [](const auto& made) { return !made && made.error().code == errc::invalid; };
    EXPECT_TRUE(refused(on->conv2d({0, 1, 8, 8}, {4, 3, 1, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8}, {4, 3, 1, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 2, 2}, {4, 3, 1, 0})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8, 8}, {0, 3, 1, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8, 8}, {4, 3, 0, 1})));
    EXPECT_TRUE(refused(on->conv2d({1, 1, 8, 8}, {4, 3, 1, 3})));
    EXPECT_TRUE(refused(on->conv2d({1u << 20, 1u << 20, 8, 8}, {4, 3, 1, 1})));
    EXPECT_TRUE(refused(on->max_pool2d({1, 1, 1, 1}, {2, 2})));
    EXPECT_TRUE(refused(on->max_pool2d({1, 1, 4, 4}, {2, 0})));
    EXPECT_TRUE(refused(on->dense({0, 4}, {2})));
    EXPECT_TRUE(refused(on->dense({2, 4}, {0})));
    EXPECT_TRUE(refused(on->activate({2, 0}, activation::relu)));
    EXPECT_TRUE(refused(on->softmax_cross_entropy({4})));
    auto loss = on->softmax_cross_entropy({1, 3});
    ASSERT_TRUE(loss);
    std::vector<float> logits(3), gradient(3);
    std::vector<float> label{3};
    EXPECT_TRUE(refused((*loss)->run(logits, label, 1, 1, gradient)));
  }
}

} // namespace
} // namespace troupe::kernels
