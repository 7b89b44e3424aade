#include "actors/training/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace troupe::training {

result<void> check(const schedule& x) {
  if (x.warm_up >= 0 && x.warm_up < 1)
    return {};
  return {errc::invalid, "The warm-up is a part of the training: give a number from 0 to below 1."};
}

float factor_at(const schedule& x, double begin, double end) {
  if (begin < x.warm_up)
    return static_cast<float>(std::min(end / x.warm_up, 1.0));
  auto left = (1 - begin) / (1 - x.warm_up);
  switch (x.falls) {
  case decay::none:
    return 1;
  case decay::linear:
    return static_cast<float>(left);
  case decay::cosine:
    return static_cast<float>((1 + std::cos(std::numbers::pi * (1 - left))) / 2);
  }
  return 1;
}

} // namespace troupe::training
