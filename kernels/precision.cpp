#include "kernels/precision.hpp"

#include "kernels/vectorised.hpp"

#include <algorithm>

namespace troupe::kernels {

namespace {

// The bits below `kept` bits of the mantissa are rounded away, which may carry into the exponent.
template <int Dropped>
TROUPE_INLINE uint32_t rounded_bits(uint32_t bits) {
  constexpr uint32_t below = (1u << Dropped) - 1;
  return (bits + (below >> 1) + ((bits >> Dropped) & 1u)) & ~below;
}

TROUPE_VECTORISED void round_bf16(const float* from, float* to, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    auto bits = std::bit_cast<uint32_t>(from[i]);
    auto not_a_number = (bits & 0x7fffffffu) > 0x7f800000u;
    to[i] = std::bit_cast<float>(not_a_number ? bits : rounded_bits<16>(bits));
  }
}

TROUPE_VECTORISED void round_f16(const float* from, float* to, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    auto bits = std::bit_cast<uint32_t>(from[i]);
    auto sign = bits & 0x80000000u;
    auto size = bits & 0x7fffffffu;
    auto large = rounded_bits<13>(size);
    large = large >= 0x47800000u ? 0x7f800000u : large; // 2^16
    // Below 2^-14 the type has units of 2^-24, which a sum with a half is rounded to.
    auto small = std::bit_cast<uint32_t>((std::bit_cast<float>(size) + 0.5F) - 0.5F);
    auto out = size < 0x38800000u ? small : large;
    out = size > 0x7f800000u ? size : out;
    to[i] = std::bit_cast<float>(sign | out);
  }
}

} // namespace

void round_to(precision type, view from, mutable_view to) {
  TROUPE_ASSERT(from.size() == to.size());
  switch (type) {
  case precision::f32:
    if (from.data() != to.data())
      std::copy(from.begin(), from.end(), to.begin());
    return;
  case precision::bf16:
    return round_bf16(from.data(), to.data(), to.size());
  case precision::f16:
    return round_f16(from.data(), to.data(), to.size());
  }
}

} // namespace troupe::kernels
