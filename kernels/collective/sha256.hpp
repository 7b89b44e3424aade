// SHA-256 (NIST FIPS 180-4) and HMAC over it (RFC 2104): what proves membership of a group.
//
// Our own, so that the collectives need no library. For challenges of a few hundred bytes; hashing
// of files is storage/hash.hpp's, which uses the processor's instructions for it.
// Threads: pure functions. The time they take depends on lengths, never on values.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace troupe::collective {

using digest = std::array<uint8_t, 32>;

digest sha256(std::span<const uint8_t> bytes);

digest hmac_sha256(std::span<const uint8_t> key, std::span<const uint8_t> bytes);

} // namespace troupe::collective
