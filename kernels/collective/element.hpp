// The types of elements that collectives combine, and rows of them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string_view>
#include <type_traits>

namespace troupe::collective {

enum class element : uint32_t { f32, f64, bf16, f16, i32, i64 };

// The upper half of a float: 8 bits of exponent, 7 of mantissa.
struct bfloat16 {
  uint16_t bits = 0;
  friend bool operator==(const bfloat16&, const bfloat16&) = default;
};

// IEEE 754 binary16: 5 bits of exponent, 10 of mantissa.
struct float16 {
  uint16_t bits = 0;
  friend bool operator==(const float16&, const float16&) = default;
};

// To the nearest; of two that are as near, the even one. What is too large becomes infinite.
bfloat16 to_bfloat16(float x);
float16 to_float16(float x);
float to_float(bfloat16 x);
float to_float(float16 x);

constexpr size_t size_of(element type) {
  switch (type) {
  case element::bf16:
  case element::f16:
    return 2;
  case element::f32:
  case element::i32:
    return 4;
  case element::f64:
  case element::i64:
    return 8;
  }
  return 0;
}

std::string_view name_of(element type);

template <class T>
constexpr element element_of() {
  if constexpr (std::same_as<T, float>)
    return element::f32;
  else if constexpr (std::same_as<T, double>)
    return element::f64;
  else if constexpr (std::same_as<T, bfloat16>)
    return element::bf16;
  else if constexpr (std::same_as<T, float16>)
    return element::f16;
  else if constexpr (std::same_as<T, int32_t>)
    return element::i32;
  else {
    static_assert(std::same_as<T, int64_t>, "collectives do not know this type of element");
    return element::i64;
  }
}

// Elements in a row, which are read. The memory is the caller's.
struct input {
  element type = element::f32;
  const std::byte* data = nullptr;
  size_t count = 0;

  input() = default;
  input(element type_, const void* data_, size_t count_)
    : type(type_), data(static_cast<const std::byte*>(data_)), count(count_) {}
  template <std::ranges::contiguous_range R>
  input(const R& row)
    : input(element_of<std::remove_cv_t<std::ranges::range_value_t<R>>>(), std::ranges::data(row),
            std::ranges::size(row)) {}

  size_t bytes() const { return count * size_of(type); }
};

// Elements in a row, which are written.
struct output {
  element type = element::f32;
  std::byte* data = nullptr;
  size_t count = 0;

  output() = default;
  output(element type_, void* data_, size_t count_)
    : type(type_), data(static_cast<std::byte*>(data_)), count(count_) {}
  template <std::ranges::contiguous_range R>
  requires(!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>)
    output(R&& row)
    : output(element_of<std::ranges::range_value_t<R>>(), std::ranges::data(row),
             std::ranges::size(row)) {}

  operator input() const { return {type, data, count}; }
  size_t bytes() const { return count * size_of(type); }
};

} // namespace troupe::collective
