#include "actors/packages/package_plan.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using names = std::vector<std::string>;

constexpr time_point start{1000s};

error failure(errc code) {
  return {code, "it failed"};
}

names hashes(const std::vector<fetch_due>& all) {
  names out;
  for (auto& each : all)
    out.push_back(each.hash);
  return out;
}

// A node with room for 100 bytes that fetches two at a time.
class PackagePlan : public ::testing::Test {
protected:
  package_plan plan_{{100, 2, 60s, 1s}};
};

TEST_F(PackagePlan, FetchesOnceWhateverIsWanted) {
  for (int i = 0; i < 5; ++i)
    plan_.want("a", 10, start);
  EXPECT_EQ(hashes(plan_.due({"a"}, start)), names{"a"});
  EXPECT_TRUE(plan_.due({"a"}, start).empty());
  EXPECT_FALSE(plan_.has("a"));
  EXPECT_FALSE(plan_.ended({"a", 20, {}}, start));
  EXPECT_TRUE(plan_.has("a"));
  plan_.want("a", 10, start);
  EXPECT_TRUE(plan_.due({"a"}, start).empty());
}

TEST_F(PackagePlan, FetchesAFewAtATime) {
  for (auto* each : {"a", "b", "c"})
    plan_.want(each, 1, start);
  std::set<std::string> wanted{"a", "b", "c"};
  EXPECT_EQ(hashes(plan_.due(wanted, start)), (names{"a", "b"}));
  plan_.ended({"b", 1, {}}, start);
  EXPECT_EQ(hashes(plan_.due(wanted, start)), names{"c"});
}

TEST_F(PackagePlan, TriesAgainWhatPassesUntilItDoesNotMoveOn) {
  plan_.want("a", 10, start);
  auto now = start;
  uint64_t kept = 0;
  for (int i = 0; i < 100; ++i) { // it gets further each time
    ASSERT_EQ(hashes(plan_.due({"a"}, now)), names{"a"});
    EXPECT_FALSE(plan_.ended({"a", ++kept, failure(errc::node_lost)}, now));
    EXPECT_TRUE(plan_.due({"a"}, now).empty()) << "not at once";
    now += 30s;
  }
  ASSERT_FALSE(plan_.due({"a"}, now).empty());
  EXPECT_FALSE(plan_.ended({"a", kept, failure(errc::unavailable)}, now));
  now += 31s;
  ASSERT_FALSE(plan_.due({"a"}, now).empty());
  auto failed = plan_.ended({"a", kept, failure(errc::unavailable)}, now);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->text, "it failed");
  EXPECT_TRUE(plan_.due({"a"}, now).empty());
}

TEST_F(PackagePlan, FailsForWhatDoesNotPass) {
  for (auto code : {errc::invalid, errc::io, errc::not_found}) {
    plan_.want("a", 10, start);
    ASSERT_FALSE(plan_.due({"a"}, start).empty());
    EXPECT_TRUE(plan_.ended({"a", 0, failure(code)}, start));
  }
}

TEST_F(PackagePlan, TriesOnceMoreAfterDamage) {
  plan_.want("a", 10, start);
  ASSERT_FALSE(plan_.due({"a"}, start).empty());
  EXPECT_FALSE(plan_.ended({"a", 0, failure(errc::corrupt)}, start));
  ASSERT_FALSE(plan_.due({"a"}, start + 1s).empty());
  EXPECT_TRUE(plan_.ended({"a", 0, failure(errc::corrupt)}, start + 1s));
}

TEST_F(PackagePlan, EndsAFetchThatNobodyWaitsForAndBeginsItAnew) {
  plan_.want("a", 10, start);
  ASSERT_FALSE(plan_.due({"a"}, start).empty());
  EXPECT_EQ(plan_.idle({}), names{"a"});
  EXPECT_TRUE(plan_.idle({}).empty()) << "once";
  plan_.want("a", 10, start);
  EXPECT_TRUE(plan_.due({"a"}, start).empty()) << "the other has not ended";
  EXPECT_FALSE(plan_.ended({"a", 0, failure(errc::aborted)}, start)) << "it was not the wish";
  EXPECT_EQ(hashes(plan_.due({"a"}, start)), names{"a"});
}

TEST_F(PackagePlan, DropsTheLeastRecentlyUsedThatNobodyUses) {
  for (auto* each : {"a", "b", "c"})
    plan_.found(each, 40);
  plan_.want("a", 1, start);
  EXPECT_EQ(plan_.surplus({"a"}), names{"b"});
  EXPECT_FALSE(plan_.has("b"));
  EXPECT_TRUE(plan_.has("a") && plan_.has("c"));
  EXPECT_TRUE(plan_.surplus({}).empty()) << "80 bytes fit";
  plan_.found("d", 90);
  EXPECT_TRUE(plan_.surplus({"a", "c", "d"}).empty()) << "what is used stays";
  EXPECT_EQ(plan_.surplus({"d"}), (names{"c", "a"})) << "a was used later";
}

} // namespace
} // namespace troupe
