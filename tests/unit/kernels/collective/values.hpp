// Values of each type of element, and what several of them are reduced to.
#pragma once

#include "kernels/collective/arithmetic.hpp"
#include "kernels/collective/collective.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

namespace troupe::collective::test {

template <class T>
T value(double x) {
  if constexpr (std::is_same_v<T, bfloat16>)
    return to_bfloat16(static_cast<float>(x));
  else if constexpr (std::is_same_v<T, float16>)
    return to_float16(static_cast<float>(x));
  else
    return static_cast<T>(x);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size()
         && (a.empty() || memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Of at least one value; exact for small whole numbers.
inline double reduced(std::span<const double> all, reduction how) {
  auto sum = std::accumulate(all.begin(), all.end(), 0.0);
  switch (how) {
  case reduction::sum:
    return sum;
  case reduction::mean:
    return sum / static_cast<double>(all.size());
  case reduction::min:
    return *std::min_element(all.begin(), all.end());
  case reduction::max:
    return *std::max_element(all.begin(), all.end());
  }
  return 0;
}

} // namespace troupe::collective::test
