#include "kernels/collective/sha256.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <vector>

namespace troupe::collective {
namespace {

constexpr size_t block_bytes = 64;

using block = std::span<const uint8_t, block_bytes>;
using state = std::array<uint32_t, 8>;

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
constexpr std::array<uint32_t, 64> round_constants{
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// And of the square roots of the first 8.
constexpr state initial{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

uint32_t big_endian(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

// FIPS 180-4, section 6.2.2.
void compress(state& hash, block message) {
  std::array<uint32_t, 64> w;
  for (size_t t = 0; t < 16; ++t)
    w[t] = big_endian(message.data() + 4 * t);
  for (size_t t = 16; t < 64; ++t) {
    auto small_0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
    auto small_1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + small_0 + w[t - 7] + small_1;
  }
  auto [a, b, c, d, e, f, g, h] = hash;
  for (size_t t = 0; t < 64; ++t) {
    auto large_1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    auto first = h + large_1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
    auto large_0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    auto second = large_0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  state change{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < hash.size(); ++i)
    hash[i] += change[i];
}

digest keyed(std::array<uint8_t, block_bytes> key, uint8_t pad, std::span<const uint8_t> bytes) {
  std::vector<uint8_t> text;
  for (auto each : key)
    text.push_back(each ^ pad);
  text.insert(text.end(), bytes.begin(), bytes.end());
  return sha256(text);
}

} // namespace

digest sha256(std::span<const uint8_t> bytes) {
  auto hash = initial;
  auto bits = uint64_t{bytes.size()} * 8;
  for (; bytes.size() >= block_bytes; bytes = bytes.subspan(block_bytes))
    compress(hash, bytes.first<block_bytes>());
  // The rest, a one, zeros, and the length in bits end one block, or two.
  std::array<uint8_t, 2 * block_bytes> end{};
  std::ranges::copy(bytes, end.begin());
  end[bytes.size()] = 0x80;
  auto used = bytes.size() + 1 + sizeof(bits) <= block_bytes ? block_bytes : 2 * block_bytes;
  for (size_t i = 0; i < sizeof(bits); ++i)
    end[used - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  for (size_t at = 0; at < used; at += block_bytes)
    compress(hash, block(end.data() + at, block_bytes));
  digest out;
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<uint8_t>(hash[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

digest hmac_sha256(std::span<const uint8_t> key, std::span<const uint8_t> bytes) {
  std::array<uint8_t, block_bytes> padded{};
  if (key.size() <= block_bytes)
    std::ranges::copy(key, padded.begin());
  else
    std::ranges::copy(sha256(key), padded.begin());
  return keyed(padded, 0x5c, keyed(padded, 0x36, bytes));
}

} // namespace troupe::collective
