// Numbers in the formats that store the lowest byte first.
#pragma once

#include "runtime/base/assert.hpp"

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>

namespace troupe::training {

// The number at `offset`, which with its bytes lies within `bytes`.
template <class T>
T little_endian(std::span<const std::byte> bytes, size_t offset = 0) {
  static_assert(std::endian::native == std::endian::little);
  TROUPE_ASSERT(offset <= bytes.size() && bytes.size() - offset >= sizeof(T));
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

} // namespace troupe::training
