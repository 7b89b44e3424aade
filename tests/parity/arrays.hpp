// What the parity tests share: backends, seeded arrays, comparison.
#pragma once

#include "kernels/cpu/cpu.hpp"
#include "runtime/base/random.hpp"
#include "tests/parity/staged_backend.hpp"
#include "tests/support/gpu.hpp"
#ifdef TROUPE_HAS_ONEDNN
#include "kernels/onednn/onednn.hpp"
#endif

#include <gtest/gtest.h>

#include <cmath>

namespace troupe::kernels {

// The backends that are compared with the reference.
inline std::vector<std::unique_ptr<backend>> others(precision type = precision::f32) {
  std::vector<std::unique_ptr<backend>> made;
  auto take = [&](result<std::unique_ptr<backend>> other) {
    EXPECT_TRUE(other) << other.error().text;
    if (other)
      made.push_back(*std::move(other));
  };
#ifdef TROUPE_HAS_ONEDNN
  take(onednn::make_backend(type));
#endif
  // Its products are of f32 only.
  if (type == precision::f32 && test::count_gpus() > 0)
    take(make_staged_backend(type));
  return made;
}

inline std::vector<std::unique_ptr<backend>> all() {
  auto made = others();
  made.push_back(cpu::make_backend());
  return made;
}

// From -1 to 1.
inline std::vector<float> noise(size_t size, uint64_t seed) {
  random_source random{seed};
  std::vector<float> values(size);
  for (auto& x : values)
    x = static_cast<float>(random.real() * 2 - 1);
  return values;
}

// Whole numbers below `bound`.
inline std::vector<float> ids(size_t size, size_t bound, uint64_t seed) {
  random_source random{seed};
  std::vector<float> values(size);
  for (auto& x : values)
    x = static_cast<float>(random.below(bound));
  return values;
}

inline void expect_near(view got, view wanted, double bound, const char* what) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::abs(double{got[i]} - wanted[i]), bound * (1 + std::abs(wanted[i])))
      << what << " at " << i << ": " << got[i] << ", not " << wanted[i];
}

template <class T>
bool refused(const result<T>& made) {
  return !made && made.error().code == errc::invalid;
}

} // namespace troupe::kernels
