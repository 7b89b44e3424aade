// Losses and optimisers on every backend: against the reference, and against their definitions.
#include "tests/parity/arrays.hpp"

namespace troupe::kernels {
namespace {

enum class kind { classes, squares, binary };

result<std::unique_ptr<loss>> make(const backend& on, kind which, const shape& outputs) {
  switch (which) {
  case kind::classes:
    return on.softmax_cross_entropy(outputs);
  case kind::squares:
    return on.mean_squared_error(outputs);
  case kind::binary:
    break;
  }
  return on.binary_cross_entropy(outputs);
}

std::vector<float> targets_of(kind which, const loss& of, uint64_t seed) {
  auto size = elements(of.target_shape());
  if (which == kind::classes)
    return ids(size, of.output_shape().back(), seed);
  auto values = noise(size, seed);
  if (which == kind::binary)
    for (auto& x : values)
      x = std::abs(x);
  return values;
}

struct outcome {
  float sum;
  std::vector<float> gradient;
};

outcome run(loss& of, const std::vector<float>& outputs, const std::vector<float>& targets,
            size_t valid, float scale) {
  outcome got{NAN, std::vector<float>(outputs.size(), NAN)};
  auto sum = of.run(outputs, targets, valid, scale, got.gradient);
  EXPECT_TRUE(sum);
  got.sum = sum ? *sum : NAN;
  return got;
}

struct loss_case {
  kind which;
  shape outputs;
};

const std::vector<loss_case> cases{
  {kind::classes, {1, 1}},     {kind::classes, {64, 10}}, {kind::classes, {33, 67}},
  {kind::classes, {5, 3, 7}},  {kind::squares, {1}},      {kind::squares, {7, 3}},
  {kind::squares, {4, 5, 37}}, {kind::binary, {1}},       {kind::binary, {9, 1}},
  {kind::binary, {4, 5, 37}},
};

TEST(Losses, OnEveryBackend) {
  auto reference = cpu::make_backend();
  for (const auto& other : others())
    for (const auto& c : cases) {
      SCOPED_TRACE(std::string(other->name()) + " " + to_string(c.outputs));
      auto ours = make(*other, c.which, c.outputs);
      auto theirs = make(*reference, c.which, c.outputs);
      ASSERT_TRUE(ours && theirs);
      for (uint64_t seed = 1; seed <= 3; ++seed)
        // Large values too: exp() of the raw value would overflow.
        for (float size : {1.0F, 200.0F}) {
          auto outputs = noise(elements(c.outputs), seed);
          for (auto& x : outputs)
            x *= size;
          auto targets = targets_of(c.which, **ours, seed + 1);
          for (auto valid : {c.outputs[0], c.outputs[0] / 2, size_t{0}}) {
            auto got = run(**ours, outputs, targets, valid, 0.25F);
            auto wanted = run(**theirs, outputs, targets, valid, 0.25F);
            EXPECT_NEAR(got.sum, wanted.sum, 1e-5 * (1 + std::abs(wanted.sum)));
            expect_near(got.gradient, wanted.gradient, 1e-5, "gradient");
            EXPECT_EQ(run(**ours, outputs, targets, valid, 0.25F).gradient, got.gradient);
          }
        }
    }
}

TEST(Losses, RowsThatAreNotValidDoNotCount) {
  for (const auto& on : all())
    for (const auto& c : cases) {
      auto made = make(*on, c.which, c.outputs);
      ASSERT_TRUE(made);
      auto rows = c.outputs[0];
      auto outputs = noise(elements(c.outputs), 1);
      auto targets = targets_of(c.which, **made, 2);
      auto whole = run(**made, outputs, targets, rows, 2);
      auto part = run(**made, outputs, targets, rows - 1, 2);
      auto row = outputs.size() / rows;
      // Targets of other rows are not even read.
      targets.back() = -5;
      EXPECT_EQ(run(**made, outputs, targets, rows - 1, 2).gradient, part.gradient);
      for (size_t i = 0; i < outputs.size(); ++i)
        EXPECT_EQ(part.gradient[i], i < outputs.size() - row ? whole.gradient[i] : 0) << i;
      if (c.outputs.back() > 1) {
        EXPECT_LT(part.sum, whole.sum);
      }
    }
}

// Each by hand, for numbers that are easy.
TEST(Losses, FollowTheirDefinitions) {
  for (const auto& on : all()) {
    auto classes = make(*on, kind::classes, {2, 2, 4});
    ASSERT_TRUE(classes);
    auto even = run(**classes, std::vector<float>(16), {0, 1, 2, 3}, 2, 1);
    EXPECT_NEAR(even.sum, 2 * std::log(4.0), 1e-5);
    EXPECT_NEAR(even.gradient[0], (0.25 - 1) / 2, 1e-6);
    EXPECT_NEAR(even.gradient[1], 0.25 / 2, 1e-6);
    auto squares = make(*on, kind::squares, {2, 2});
    ASSERT_TRUE(squares);
    auto off = run(**squares, {1, 2, 3, 4}, {0, 2, 3, 2}, 2, 3);
    EXPECT_FLOAT_EQ(off.sum, 0.5F + 2.0F);
    EXPECT_EQ(off.gradient, (std::vector<float>{3, 0, 0, 6}));
    auto binary = make(*on, kind::binary, {2, 1});
    ASSERT_TRUE(binary);
    auto coin = run(**binary, {0, 0}, {1, 0.5F}, 2, 1);
    EXPECT_NEAR(coin.sum, 2 * std::log(2.0), 1e-6);
    EXPECT_NEAR(coin.gradient[0], -0.5, 1e-6);
    EXPECT_NEAR(coin.gradient[1], 0, 1e-6);
  }
}

TEST(Losses, LabelsThatAreNoClassAreRefused) {
  for (const auto& on : all()) {
    auto made = on->softmax_cross_entropy({1, 3});
    ASSERT_TRUE(made);
    std::vector<float> logits(3), gradient(3);
    for (float label : {3.0F, -1.0F, 0.5F, NAN, INFINITY}) {
      std::vector<float> labels{label};
      EXPECT_TRUE(refused((*made)->run(logits, labels, 1, 1, gradient))) << label;
    }
  }
}

const std::vector<optimiser_options> optimisers{
  {.kind = optimiser_kind::sgd},
  {.kind = optimiser_kind::sgd, .weight_decay = 0.1F},
  {.kind = optimiser_kind::sgd, .momentum = 0.9F, .weight_decay = 0.1F},
  {.kind = optimiser_kind::sgd, .momentum = 0.9F, .nesterov = true, .weight_decay = 0.1F},
  {.kind = optimiser_kind::adam, .weight_decay = 0.1F},
  {.kind = optimiser_kind::adamw, .weight_decay = 0.1F},
  {.kind = optimiser_kind::adadelta, .epsilon = 1e-6F, .weight_decay = 0.1F},
};

// The definitions, element by element, as PyTorch's documentation of torch.optim states them.
struct plain {
  double p, a = 0, b = 0;

  void step(const optimiser_options& o, double t, double lr, double g) {
    if (o.kind == optimiser_kind::adamw)
      p -= lr * o.weight_decay * p;
    else
      g += o.weight_decay * p;
    switch (o.kind) {
    case optimiser_kind::sgd:
      if (o.momentum > 0) {
        a = t == 1 ? g : o.momentum * a + g;
        g = o.nesterov ? g + o.momentum * a : a;
      }
      p -= lr * g;
      break;
    case optimiser_kind::adam:
    case optimiser_kind::adamw: {
      a = o.beta1 * a + (1 - o.beta1) * g;
      b = o.beta2 * b + (1 - o.beta2) * g * g;
      auto mean = a / (1 - std::pow(o.beta1, t));
      auto square = b / (1 - std::pow(o.beta2, t));
      p -= lr * mean / (std::sqrt(square) + o.epsilon);
      break;
    }
    case optimiser_kind::adadelta: {
      a = o.rho * a + (1 - o.rho) * g * g;
      auto move = std::sqrt(b + o.epsilon) / std::sqrt(a + o.epsilon) * g;
      b = o.rho * b + (1 - o.rho) * move * move;
      p -= lr * move;
      break;
    }
    }
  }
};

TEST(Optimisers, FollowTheirDefinitionsOnEveryBackend) {
  for (const auto& on : all())
    for (const auto& options : optimisers)
      for (size_t size : {size_t{0}, size_t{1}, size_t{17}, size_t{1000}}) {
        auto parameters = noise(size, 3);
        std::vector<float> first(state_arrays(options) > 0 ? size : 0);
        std::vector<float> second(state_arrays(options) > 1 ? size : 0);
        std::vector<plain> wanted;
        for (auto p : parameters)
          wanted.push_back({p});
        for (uint64_t t = 1; t <= 10; ++t) {
          auto gradients = noise(size, 10 + t);
          auto rate = 0.1F / static_cast<float>(t);
          // In two parts, of which the second begins at an odd place.
          auto half = size / 3;
          auto cut = [&](auto& from, bool later) {
            auto at = std::min(half, from.size());
            return later ? std::span(from).subspan(at) : std::span(from).first(at);
          };
          for (bool later : {false, true})
            on->update(options, {t, rate, 0.5F}, cut(gradients, later), cut(first, later),
                       cut(second, later), cut(parameters, later));
          for (size_t i = 0; i < size; ++i)
            wanted[i].step(options, static_cast<double>(t), rate, 0.5 * gradients[i]);
        }
        for (size_t i = 0; i < size; ++i) {
          ASSERT_NEAR(parameters[i], wanted[i].p, 1e-5) << static_cast<int>(options.kind);
          ASSERT_NEAR(first.empty() ? wanted[i].a : first[i], wanted[i].a, 1e-5);
          ASSERT_NEAR(second.empty() ? wanted[i].b : second[i], wanted[i].b, 1e-5);
        }
      }
}

TEST(Optimisers, OptionsThatMakeNoSenseAreRefused) {
  for (const auto& options : optimisers)
    EXPECT_TRUE(check(options));
  EXPECT_TRUE(refused(check({.learning_rate = 0})));
  EXPECT_TRUE(refused(check({.learning_rate = NAN})));
  EXPECT_TRUE(refused(check({.momentum = 1})));
  EXPECT_TRUE(refused(check({.momentum = -0.1F})));
  EXPECT_TRUE(refused(check({.nesterov = true})));
  EXPECT_TRUE(refused(check({.beta1 = 1})));
  EXPECT_TRUE(refused(check({.beta2 = 1})));
  EXPECT_TRUE(refused(check({.rho = 1})));
  EXPECT_TRUE(refused(check({.epsilon = 0})));
  EXPECT_TRUE(refused(check({.weight_decay = -1})));
}

} // namespace
} // namespace troupe::kernels
