// Random numbers by their index: any of them at any time, the same on every machine and backend.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox 4x32-10).
#pragma once

#include "kernels/on_device.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace troupe::kernels {

using philox_block = std::array<uint32_t, 4>;

// The block of four numbers with this index, of the sequence with this seed.
TROUPE_ON_DEVICE inline philox_block philox(uint64_t seed, uint64_t index) {
  auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  auto key0 = low(seed);
  auto key1 = high(seed);
  uint32_t a = low(index);
  uint32_t b = high(index);
  uint32_t c = 0;
  uint32_t d = 0;
  for (int round = 0; round < 10; ++round) {
    auto first = uint64_t{0xd2511f53u} * a;
    auto second = uint64_t{0xcd9e8d57u} * c;
    a = high(second) ^ b ^ key0;
    b = low(second);
    c = high(first) ^ d ^ key1;
    d = low(first);
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return {a, b, c, d};
}

// Below it an element is dropped; so the probability is exact to 2^-32.
TROUPE_ON_DEVICE inline uint32_t dropout_bound(float rate) {
  return static_cast<uint32_t>(static_cast<double>(rate) * 0x1p32);
}

} // namespace troupe::kernels
