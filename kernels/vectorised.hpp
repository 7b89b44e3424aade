// Loops that the compiler turns into vector instructions, chosen when the program starts, and
// functions that such loops can contain. CMakeLists.txt lists what includes it, for its flags.
//
// Each function is accurate to a few 1e-7, absolutely where its result is bounded and relatively
// elsewhere. Arguments beyond the range of exp() are clamped.
#pragma once

#include <bit>
#include <cstdint>

// A function marked so is compiled for AVX-512, AVX2 and any x86-64. Under a sanitizer it is not:
// the choice would be made before the sanitizer runs.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)                                \
  && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TROUPE_VECTORISED                                                                          \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TROUPE_VECTORISED
#endif

#define TROUPE_INLINE [[gnu::always_inline]] inline

namespace troupe::kernels::vectorised {

// e^x = 2^k * e^r with |r| <= ln(2) / 2, where seven terms of the series are enough.
TROUPE_INLINE float exp(float x) {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  // The addition rounds to a whole number, which then stands in the lowest bits.
  auto shifted = x * 1.44269504F + 0x1.8p23F;
  auto k = shifted - 0x1.8p23F;
  // ln(2) in two parts, the first short enough for an exact product.
  auto r = x - k * 0x1.62e4p-1F;
  r -= k * 1.42860677e-6F;
  auto p = 1 / 5040.0F;
  p = p * r + 1 / 720.0F;
  p = p * r + 1 / 120.0F;
  p = p * r + 1 / 24.0F;
  p = p * r + 1 / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p)
                              + (std::bit_cast<uint32_t>(shifted) << 23));
}

TROUPE_INLINE float sigmoid(float x) {
  return 1 / (1 + exp(-x));
}

TROUPE_INLINE float tanh(float x) {
  return 1 - 2 / (1 + exp(2 * x));
}

struct normal_distribution {
  float below;   // the probability of less than x
  float density; // at x
};

// Source: Abramowitz, Stegun, "Handbook of mathematical functions", 7.1.26.
TROUPE_INLINE normal_distribution normal(float x) {
  auto size = x < 0 ? -x : x;
  auto t = 1 / (1 + 0.3275911F * 0.70710678F * size);
  auto p = 1.061405429F;
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  auto fall = exp(-0.5F * x * x);
  auto tail = 0.5F * p * t * fall; // the probability beyond |x|
  return {x < 0 ? tail : 1 - tail, fall * 0.39894228F};
}

} // namespace troupe::kernels::vectorised
