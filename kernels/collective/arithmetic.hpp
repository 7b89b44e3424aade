// The element-wise arithmetic of reductions.
//
// Each element is computed from its inputs in the order of the ranks, without reassociation: equal
// inputs give equal bits. bf16 and f16 are added up in f32 and rounded once. A NaN spreads through
// sum and mean; with min and max the result for that element depends on the order of the ranks,
// which is fixed. Integers wrap around; their mean is rounded towards zero.
// Threads: pure functions.
#pragma once

#include "kernels/collective/collective.hpp"

#include <span>

namespace troupe::collective {

// How many bytes of one rank are worth combining at a time: what is added up stays in the first
// cache. A multiple of the size of every element.
inline constexpr size_t block_bytes = 16u << 10;

// to[i] = the inputs, combined: inputs[0][i] (how) inputs[1][i] ..., all of `count` elements of the
// type. Each target gets the same bits; a target may be one of the inputs, and else overlaps none.
void reduce(element type, reduction how, std::span<const std::byte* const> inputs,
            std::span<std::byte* const> targets, size_t count);

// In two steps, where the inputs come one by one. The sum of bf16 and f16 is kept in f32: `into`
// has elements of sum_type(type).
element sum_type(element type);

// into[i] = from[i], widened.
void begin(element type, std::byte* into, const std::byte* from, size_t count);

// into[i] = into[i] (how) from[i]. Both are sums.
void combine(element sum, reduction how, std::byte* into, const std::byte* from, size_t count);

// to[i] = from[i], divided by the ranks for a mean, and rounded to the type.
void finish(element type, reduction how, uint32_t ranks, std::byte* to, const std::byte* from,
            size_t count);

} // namespace troupe::collective
