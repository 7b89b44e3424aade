// Runs a check over numbered cases; the number is the seed of all that is random in one.
//
//   fuzz("Codec", 20'000, [](random_source& random) { ...EXPECT... });
//
// TROUPE_FUZZ=FIRST:COUNT runs those cases in place of the first `count`. A case that fails is
// printed with the command that repeats it, also when it kills the process.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/random.hpp"

#include <cstdint>
#include <functional>

namespace troupe::testing {

// Stops at the first case that fails.
void fuzz(const char* test, uint64_t count, const std::function<void(random_source&)>& check);

// A sentence for people: something, on one line, and not a copy of what was sent.
void expect_sentence(const error& why);

} // namespace troupe::testing
