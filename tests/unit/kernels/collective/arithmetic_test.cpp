#include "kernels/collective/arithmetic.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace troupe::collective {
namespace {

TEST(HalfPrecision, EachValueIsItselfInFloat) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    float16 half{static_cast<uint16_t>(bits)};
    bfloat16 brain{static_cast<uint16_t>(bits)};
    ASSERT_TRUE(std::isnan(to_float(half)) || to_float16(to_float(half)) == half) << bits;
    ASSERT_TRUE(std::isnan(to_float(brain)) || to_bfloat16(to_float(brain)) == brain) << bits;
  }
}

TEST(HalfPrecision, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(to_bfloat16(1.0F + 0x1p-8F).bits, 0x3f80);
  EXPECT_EQ(to_bfloat16(1.0F + 0x1.1p-8F).bits, 0x3f81);
  EXPECT_EQ(to_bfloat16(1.0F + 0x3p-8F).bits, 0x3f82);
  EXPECT_EQ(to_float16(1.0F + 0x1p-11F).bits, 0x3c00);
  EXPECT_EQ(to_float16(1.0F + 0x1.1p-11F).bits, 0x3c01);
  EXPECT_EQ(to_float16(1.0F + 0x3p-11F).bits, 0x3c02);
  EXPECT_EQ(to_float16(-0x3p-25F).bits, 0x8002); // below the smallest normal number
  EXPECT_EQ(to_float16(0x1p-25F).bits, 0x0000);
}

TEST(HalfPrecision, WhatIsTooLargeIsInfiniteAndNoNumberStaysNone) {
  EXPECT_EQ(to_float16(65519.0F).bits, 0x7bff);
  EXPECT_EQ(to_float16(65520.0F).bits, 0x7c00);
  EXPECT_EQ(to_float16(-1e30F).bits, 0xfc00);
  EXPECT_EQ(to_bfloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  auto none = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(to_float(to_float16(none))));
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(none))));
}

template <class T>
T reduce_all(std::vector<T> inputs, reduction how) {
  std::vector<const std::byte*> from;
  for (auto& each : inputs)
    from.push_back(reinterpret_cast<const std::byte*>(&each));
  T out{};
  auto* to = reinterpret_cast<std::byte*>(&out);
  reduce(element_of<T>(), how, from, {&to, 1}, 1);
  return out;
}

// In bf16 each 1 would be lost: the next number after 256 is 258.
TEST(Arithmetic, ASumOfHalvesIsRoundedOnce) {
  std::vector<bfloat16> inputs(100, to_bfloat16(1.0F));
  inputs[0] = to_bfloat16(256.0F);
  EXPECT_EQ(to_float(reduce_all(inputs, reduction::sum)), 356.0F);
}

TEST(Arithmetic, IntegersWrapAroundAndTheirMeanIsRoundedTowardsZero) {
  constexpr auto most = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(reduce_all<int32_t>({most, 1, 0}, reduction::sum), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(reduce_all<int64_t>({-3, -4}, reduction::mean), -3);
}

} // namespace
} // namespace troupe::collective
