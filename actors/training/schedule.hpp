// Learning rates over a training, as a factor of the highest one.
#pragma once

#include "runtime/base/result.hpp"

namespace troupe::training {

enum class decay { none, linear, cosine };

// Rises in a line over the first part of the training, and then falls to 0, or stays.
// Source: Goyal et al., "Accurate, large minibatch SGD", 2017 (warm-up); Loshchilov, Hutter,
// "SGDR", 2017 (cosine).
struct schedule {
  double warm_up = 0.05; // the part of the training, from 0 to below 1
  decay falls = decay::linear;
};

// Errors: invalid.
result<void> check(const schedule& x);

// The factor of a step from `begin` to `end`, parts of the training from 0 to 1: that does not
// depend on how many ranks share the work. Above 0.
float factor_at(const schedule& x, double begin, double end);

} // namespace troupe::training
