// CRC-32C, by the processor's own instruction where it has one.
// Source: Castagnoli, Braeuer, Herrmann, "Optimization of cyclic redundancy-check codes with 24 and
// 32 parity bits", IEEE Transactions on Communications 41 (1993).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace troupe::training {

uint32_t crc32c(std::span<const std::byte> bytes);

// The same without the instruction.
uint32_t portable_crc32c(std::span<const std::byte> bytes);

// As TFRecord files store it: a sum over bytes that contain their own sum would say little.
inline uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  auto crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

} // namespace troupe::training
