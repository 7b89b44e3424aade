// Random bytes, and damage to bytes that were good: what a broken or hostile peer sends.
#pragma once

#include "runtime/base/random.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe::testing {

using byte_vector = std::vector<uint8_t>;

// Words, separators, numbers at the edges, bytes that are no text; up to `longest` bytes.
std::string hostile_text(random_source& random, size_t longest);

// A number that is likely to be at an edge.
uint64_t hostile_number(random_source& random);

// Damages `bytes` once to four times: bits, numbers, length, order of spans, a part of `other`
// (which is no part of `bytes`).
void mutate(byte_vector& bytes, std::span<const uint8_t> other, random_source& random);

// The same for a FlatBuffer, also: offsets that point elsewhere or at what is used already, and
// vtables.
void mutate_flatbuffer(byte_vector& bytes, std::span<const uint8_t> other, random_source& random);

} // namespace troupe::testing
