// How frames lie in a stream of bytes:
//
//   stream := frame*      frame := length:u32 magic:u32 payload padding
//
// Both numbers are little endian; `length` counts the payload only; zeros pad it to a multiple of 8
// bytes, so that every payload of an aligned buffer is aligned.
#pragma once

#include "runtime/base/limits.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace troupe::framing {

inline constexpr uint32_t magic = 0x31505254; // "TRP1"
inline constexpr size_t header_size = 8;

struct header {
  uint32_t length;
  uint32_t magic;
};

constexpr size_t padded(size_t length) {
  return (length + 7) & ~size_t{7};
}

inline void append(std::vector<std::byte>& out, std::span<const std::byte> payload) {
  TROUPE_ASSERT(!payload.empty() && payload.size() <= limits::frame_size_max);
  header head{static_cast<uint32_t>(payload.size()), magic};
  auto at = out.size();
  out.resize(at + header_size + padded(payload.size()));
  std::memcpy(out.data() + at, &head, header_size);
  std::memcpy(out.data() + at + header_size, payload.data(), payload.size());
}

// The bytes of the first frame of `in` with header and padding, or 0 when the header is not all
// there.
inline result<size_t> first_frame(std::span<const std::byte> in) {
  if (in.size() < header_size)
    return size_t{0};
  header head{};
  std::memcpy(&head, in.data(), header_size);
  if (head.magic != magic)
    return {errc::corrupt,
            "the peer sent bytes that are no frame; check that it speaks Troupe's protocol"};
  if (head.length == 0 || head.length > limits::frame_size_max)
    return {errc::corrupt, "the peer sent a frame of " + std::to_string(head.length)
                             + " bytes; at most " + std::to_string(limits::frame_size_max)
                             + " are allowed, send bulk data over its own channel"};
  return header_size + padded(head.length);
}

// The payload of a frame that is all there, as told by first_frame().
inline std::span<const std::byte> payload_of(std::span<const std::byte> in) {
  header head{};
  std::memcpy(&head, in.data(), header_size);
  return in.subspan(header_size, head.length);
}

} // namespace troupe::framing
