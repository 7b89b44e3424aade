#include "actors/training/input/crc32c.hpp"

#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace troupe::training {

namespace {

constexpr uint32_t polynomial = 0x82f63b78; // its bits reversed

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    auto crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1) * polynomial;
    table[i] = crc;
  }
  return table;
}

constexpr auto table = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t fast_crc32c(std::span<const std::byte> bytes) {
  uint64_t crc = 0xffffffff;
  for (; bytes.size() >= sizeof(uint64_t); bytes = bytes.subspan(sizeof(uint64_t))) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    crc = _mm_crc32_u64(crc, word);
  }
  auto rest = static_cast<uint32_t>(crc);
  for (auto each : bytes)
    rest = _mm_crc32_u8(rest, std::to_integer<uint8_t>(each));
  return ~rest;
}
#endif

} // namespace

uint32_t portable_crc32c(std::span<const std::byte> bytes) {
  uint32_t crc = 0xffffffff;
  for (auto each : bytes)
    crc = crc >> 8 ^ table[(crc ^ std::to_integer<uint32_t>(each)) & 0xff];
  return ~crc;
}

uint32_t crc32c(std::span<const std::byte> bytes) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2") != 0;
  if (fast)
    return fast_crc32c(bytes);
#endif
  return portable_crc32c(bytes);
}

} // namespace troupe::training
