#include "storage/bytes/chunker.hpp"

#include "runtime/base/assert.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace troupe::storage {

namespace {

// The first 256 numbers of SplitMix64 (random.hpp) with the seed 0.
constexpr std::array<uint64_t, 256> make_gear() {
  std::array<uint64_t, 256> out{};
  uint64_t state = 0;
  for (auto& each : out) {
    auto z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    each = z ^ (z >> 31);
  }
  return out;
}

constexpr auto gear = make_gear();

} // namespace

size_t first_chunk(std::string_view rest, const chunk_sizes& sizes) {
  TROUPE_ASSERT(64 <= sizes.least && sizes.least <= sizes.average && sizes.average <= sizes.most);
  auto end = std::min(rest.size(), sizes.most);
  if (end <= sizes.least)
    return end;
  auto bits = std::bit_width(sizes.average) - 1;
  auto middle = std::min(end, sizes.average);
  auto* bytes = reinterpret_cast<const unsigned char*>(rest.data());
  uint64_t hash = 0;
  auto at = sizes.least;
  for (auto limit = uint64_t{1} << (64 - (bits + 2)); at < middle; ++at) {
    hash = (hash << 1) + gear[bytes[at]];
    if (hash < limit)
      return at + 1;
  }
  for (auto limit = uint64_t{1} << (64 - (bits - 2)); at < end; ++at) {
    hash = (hash << 1) + gear[bytes[at]];
    if (hash < limit)
      return at + 1;
  }
  return end;
}

} // namespace troupe::storage
