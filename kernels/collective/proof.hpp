// How a member shows that it knows the generation's secret without sending it: HMAC-SHA-256 over a
// challenge.
// Threads: pure functions.
#pragma once

#include "kernels/collective/sha256.hpp"

#include <string_view>

namespace troupe::collective {

// The keyed hash of `purpose`, a zero byte, and `bytes`. Different purposes never give equal input.
digest prove(std::string_view secret, std::string_view purpose, std::span<const uint8_t> bytes);

// Compares in constant time.
bool same(const digest& a, const digest& b);

// Fresh bytes that nobody can predict.
digest new_nonce();

} // namespace troupe::collective
