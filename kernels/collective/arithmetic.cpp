#include "kernels/collective/arithmetic.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace troupe::collective {
namespace {

// What a type is added up in.
template <class T>
using sum_of = std::conditional_t<sizeof(T) == 2, float, T>;

float widen(bfloat16 x) {
  return std::bit_cast<float>(uint32_t{x.bits} << 16);
}

#if defined(__FLT16_MAX__)
using half = _Float16;

float widen(float16 x) {
  return static_cast<float>(std::bit_cast<half>(x.bits));
}
#else
float widen(float16 x) {
  auto sign = uint32_t{x.bits & 0x8000u} << 16;
  auto rest = uint32_t{x.bits & 0x7fffu};
  if (rest >= 0x7c00u) // infinite, or not a number
    return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  // The exponent's bias differs by 112; a multiplication sets it, for small numbers too.
  return std::bit_cast<float>(std::bit_cast<uint32_t>(std::bit_cast<float>(rest << 13) * 0x1p112F)
                              | sign);
}
#endif

template <class T>
T widen(T x) {
  return x;
}

// To the nearest, ties to even.
void narrow(float x, bfloat16& to) {
  auto bits = std::bit_cast<uint32_t>(x);
  auto rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  auto quiet = (bits >> 16) | 0x40u;
  to.bits = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

#if defined(__FLT16_MAX__)
void narrow(float x, float16& to) {
  to.bits = std::bit_cast<uint16_t>(static_cast<half>(x));
}
#else
void narrow(float x, float16& to) {
  auto bits = std::bit_cast<uint32_t>(x);
  auto sign = (bits >> 16) & 0x8000u;
  auto size = bits & 0x7fffffffu;
  uint32_t out = 0;
  if (size > 0x7f800000u)
    out = 0x7e00u; // not a number
  else if (size >= 0x477ff000u)
    out = 0x7c00u; // rounds to more than the largest
  else if (size >= 0x38800000u)
    out = (size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13;
  else // below 2^-14: units of 2^-24, which the addition of a half rounds to
    out = std::bit_cast<uint32_t>(std::bit_cast<float>(size) + 0.5F) - 0x3f000000u;
  to.bits = static_cast<uint16_t>(sign | out);
}
#endif

template <class T>
void narrow(T x, T& to) {
  to = x;
}

// Integers wrap around, which only unsigned ones may.
template <class T>
T plus(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    using word = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<word>(a) + static_cast<word>(b));
  } else {
    return a + b;
  }
}

template <reduction How, class T>
T together(T a, T b) {
  if constexpr (How == reduction::min)
    return b < a ? b : a;
  else if constexpr (How == reduction::max)
    return b > a ? b : a;
  else
    return plus(a, b);
}

template <class F>
void with_type(element type, const F& f) {
  switch (type) {
  case element::f32:
    return f(float{});
  case element::f64:
    return f(double{});
  case element::bf16:
    return f(bfloat16{});
  case element::f16:
    return f(float16{});
  case element::i32:
    return f(int32_t{});
  case element::i64:
    return f(int64_t{});
  }
}

template <class F>
void with_reduction(reduction how, const F& f) {
  switch (how) {
  case reduction::sum:
  case reduction::mean:
    return f(std::integral_constant<reduction, reduction::sum>{});
  case reduction::min:
    return f(std::integral_constant<reduction, reduction::min>{});
  case reduction::max:
    return f(std::integral_constant<reduction, reduction::max>{});
  }
}

template <class T>
void begin_as(sum_of<T>* __restrict into, const T* __restrict from, size_t count) {
  for (size_t i = 0; i < count; ++i)
    into[i] = widen(from[i]);
}

template <reduction How, class T>
void combine_as(sum_of<T>* __restrict into, const T* __restrict from, size_t count) {
  for (size_t i = 0; i < count; ++i)
    into[i] = together<How>(into[i], widen(from[i]));
}

// A row may be finished where it lies.
template <class T>
void finish_as(bool mean, uint32_t ranks, T* to, const sum_of<T>* from, size_t count) {
  auto divisor = static_cast<sum_of<T>>(ranks);
  if (mean)
    for (size_t i = 0; i < count; ++i)
      narrow(from[i] / divisor, to[i]);
  else
    for (size_t i = 0; i < count; ++i)
      narrow(from[i], to[i]);
}

// Two inputs of a type that is its own sum, which may be the targets too: no memory but theirs is
// touched.
template <reduction How, class T>
void reduce_two(bool mean, const T* a, const T* b, T* to, T* also, size_t count) {
#ifndef __clang__
#pragma GCC ivdep
#endif
  for (size_t i = 0; i < count; ++i) {
    auto sum = together<How>(a[i], b[i]);
    if (mean)
      sum /= 2;
    to[i] = sum;
    also[i] = sum;
  }
}

template <class T>
T* as(std::byte* at) {
  return reinterpret_cast<T*>(at);
}

template <class T>
const T* as(const std::byte* at) {
  return reinterpret_cast<const T*>(at);
}

template <reduction How, class T>
void reduce_blocks(reduction how, std::span<const std::byte* const> inputs,
                   std::span<std::byte* const> targets, size_t count) {
  constexpr size_t step = block_bytes / sizeof(sum_of<T>);
  alignas(64) std::array<sum_of<T>, step> sum;
  auto ranks = static_cast<uint32_t>(inputs.size());
  for (size_t at = 0; at < count; at += step) {
    auto size = std::min(step, count - at);
    begin_as(sum.data(), as<T>(inputs[0]) + at, size);
    for (auto* each : inputs.subspan(1))
      combine_as<How>(sum.data(), as<T>(each) + at, size);
    auto* first = as<T>(targets[0]) + at;
    finish_as(how == reduction::mean, ranks, first, sum.data(), size);
    for (auto* each : targets.subspan(1))
      memcpy(as<T>(each) + at, first, size * sizeof(T));
  }
}

} // namespace

bfloat16 to_bfloat16(float x) {
  bfloat16 out;
  narrow(x, out);
  return out;
}

float16 to_float16(float x) {
  float16 out;
  narrow(x, out);
  return out;
}

float to_float(bfloat16 x) {
  return widen(x);
}

float to_float(float16 x) {
  return widen(x);
}

std::string_view name_of(element type) {
  switch (type) {
  case element::f32:
    return "f32";
  case element::f64:
    return "f64";
  case element::bf16:
    return "bf16";
  case element::f16:
    return "f16";
  case element::i32:
    return "i32";
  case element::i64:
    return "i64";
  }
  return "unknown";
}

void reduce(element type, reduction how, std::span<const std::byte* const> inputs,
            std::span<std::byte* const> targets, size_t count) {
  with_type(type, [&]<class T>(T) {
    with_reduction(how, [&](auto which) {
      auto two = inputs.size() == 2 && targets.size() <= 2 && sizeof(T) > 2;
      if constexpr (sizeof(T) > 2)
        if (two)
          return reduce_two<which.value>(how == reduction::mean, as<T>(inputs[0]), as<T>(inputs[1]),
                                         as<T>(targets.front()), as<T>(targets.back()), count);
      reduce_blocks<which.value, T>(how, inputs, targets, count);
    });
  });
}

element sum_type(element type) {
  return size_of(type) == 2 ? element::f32 : type;
}

void begin(element type, std::byte* into, const std::byte* from, size_t count) {
  with_type(type, [&]<class T>(T) { begin_as(as<sum_of<T>>(into), as<T>(from), count); });
}

void combine(element sum, reduction how, std::byte* into, const std::byte* from, size_t count) {
  with_type(sum, [&]<class T>(T) {
    if constexpr (sizeof(T) > 2)
      with_reduction(how,
                     [&](auto which) { combine_as<which.value>(as<T>(into), as<T>(from), count); });
  });
}

void finish(element type, reduction how, uint32_t ranks, std::byte* to, const std::byte* from,
            size_t count) {
  with_type(type, [&]<class T>(T) {
    finish_as(how == reduction::mean, ranks, as<T>(to), as<sum_of<T>>(from), count);
  });
}

} // namespace troupe::collective
