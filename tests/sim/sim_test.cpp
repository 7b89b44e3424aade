#include "runtime/base/log.hpp"
#include "tests/sim/requests.hpp"
#include "tests/sim/seeds.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {
namespace {

class Simulation : public ::testing::Test {
protected:
  // Links end by the hundred here; that is no news.
  void SetUp() override { log::set_level(log::level::off); }
};

TEST_F(Simulation, RequestsThroughChaos) {
  run_seeds("RequestsThroughChaos", requests_through_chaos);
}

TEST_F(Simulation, AnotherSeedIsAnotherRun) {
  std::set<uint64_t> hashes;
  std::vector<std::string> violations;
  for (uint64_t seed = 1; seed <= 5; ++seed)
    hashes.insert(requests_through_chaos(seed, violations));
  EXPECT_EQ(hashes.size(), 5u);
}

} // namespace
} // namespace troupe::testing
