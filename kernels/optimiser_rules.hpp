// What each optimiser does to one element, with the factors of a step worked out beforehand: each
// backend writes its own loop around it. Definitions: PyTorch's documentation of torch.optim.
#pragma once

#include "kernels/on_device.hpp"
#include "kernels/op.hpp"

#include <cmath>

namespace troupe::kernels {

// All of: gradient, first state, second state, parameter.

struct plain_rule {
  float scale, decay, rate;

  plain_rule(const optimiser_options& options, const optimiser_step& step)
    : scale(step.gradient_scale), decay(options.weight_decay), rate(step.learning_rate) {}

  TROUPE_ON_DEVICE void operator()(float gradient, float& parameter) const {
    parameter -= rate * (gradient * scale + decay * parameter);
  }
};

struct momentum_rule {
  float scale, decay, rate, momentum;
  bool nesterov;

  momentum_rule(const optimiser_options& options, const optimiser_step& step)
    : scale(step.gradient_scale), decay(options.weight_decay), rate(step.learning_rate),
      momentum(options.momentum), nesterov(options.nesterov) {}

  TROUPE_ON_DEVICE void operator()(float gradient, float& velocity, float& parameter) const {
    auto g = gradient * scale + decay * parameter;
    velocity = momentum * velocity + g;
    parameter -= rate * (nesterov ? g + momentum * velocity : velocity);
  }
};

// Adam takes weight decay for a part of the gradient, AdamW shrinks the parameter.
struct adam_rule {
  float scale, decay, shrink, rate, part1, beta2, part2, correction, epsilon;

  adam_rule(const optimiser_options& options, const optimiser_step& step)
    : scale(step.gradient_scale), decay(options.weight_decay), shrink(1), part1(1 - options.beta1),
      beta2(options.beta2), part2(1 - options.beta2), epsilon(options.epsilon) {
    if (options.kind == optimiser_kind::adamw) {
      shrink = 1 - step.learning_rate * options.weight_decay;
      decay = 0;
    }
    auto number = static_cast<double>(step.number);
    rate = static_cast<float>(step.learning_rate / (1 - std::pow(double{options.beta1}, number)));
    correction = static_cast<float>(1 / std::sqrt(1 - std::pow(double{options.beta2}, number)));
  }

  TROUPE_ON_DEVICE void operator()(float gradient, float& mean, float& square,
                                   float& parameter) const {
    auto p = parameter * shrink;
    auto g = gradient * scale + decay * p;
    mean += part1 * (g - mean);
    square = beta2 * square + part2 * g * g;
    parameter = p - rate * mean / (std::sqrt(square) * correction + epsilon);
  }
};

struct adadelta_rule {
  float scale, decay, rate, rho, part, epsilon;

  adadelta_rule(const optimiser_options& options, const optimiser_step& step)
    : scale(step.gradient_scale), decay(options.weight_decay), rate(step.learning_rate),
      rho(options.rho), part(1 - options.rho), epsilon(options.epsilon) {}

  TROUPE_ON_DEVICE void operator()(float gradient, float& square, float& moved,
                                   float& parameter) const {
    auto g = gradient * scale + decay * parameter;
    square = rho * square + part * g * g;
    auto move = std::sqrt(moved + epsilon) / std::sqrt(square + epsilon) * g;
    moved = rho * moved + part * move * move;
    parameter -= rate * move;
  }
};

// What update() asserts.
inline void assert_sizes(const optimiser_options& options, view gradients, view first, view second,
                         view parameters) {
  auto states = state_arrays(options);
  TROUPE_ASSERT(gradients.size() == parameters.size());
  TROUPE_ASSERT(first.size() == (states > 0 ? parameters.size() : 0));
  TROUPE_ASSERT(second.size() == (states > 1 ? parameters.size() : 0));
}

} // namespace troupe::kernels
