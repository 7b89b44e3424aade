#include "tests/sim/seeds.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace troupe::testing {

namespace {

// Sanitizers look at memory and threads, which the first of two equal runs shows.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool run_twice = false;
#else
constexpr bool run_twice = true;
#endif

} // namespace

seed_range seeds_wanted(uint64_t seeds) {
  seed_range result{1, seeds};
  auto* text = std::getenv("TROUPE_SEEDS");
  if (!text)
    return result;
  std::string_view rest = text;
  auto colon = rest.find(':');
  auto parse = [](std::string_view digits, uint64_t& value) {
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
  };
  parse(rest.substr(0, colon), result.first);
  result.count = 1;
  if (colon != std::string_view::npos)
    parse(rest.substr(colon + 1), result.count);
  return result;
}

void run_seeds(const char* test, const workload& what, uint64_t seeds) {
  auto wanted = seeds_wanted(seeds);
  for (auto seed = wanted.first; seed < wanted.first + wanted.count; ++seed) {
    std::vector<std::string> violations;
    auto first = what(seed, violations);
    if (run_twice && violations.empty() && what(seed, violations) != first)
      violations.push_back("two runs of the seed differ");
    if (violations.empty())
      continue;
    std::string text;
    for (auto& each : violations)
      text += "  " + each + "\n";
    FAIL() << test << " fails with seed " << seed << "; repeat it with TROUPE_SEEDS=" << seed
           << ":1 tests/run sim\n"
           << text;
  }
}

} // namespace troupe::testing
