#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/random.hpp"
#include "runtime/base/restart_policy.hpp"
#include "runtime/base/result.hpp"

#include <gtest/gtest.h>

#include <set>

namespace troupe {
namespace {

TEST(Errc, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(errc_last); ++code)
    names.insert(name_of(static_cast<errc>(code)));
  EXPECT_EQ(names.size(), static_cast<size_t>(errc_last) + 1);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(name_of(static_cast<errc>(200)), "unknown");
}

result<int> half(int x) {
  if (x % 2 != 0)
    return {errc::invalid, "odd"};
  return x / 2;
}

result<int> quarter(int x) {
  TROUPE_TRY(half(x));
  return half(*half(x));
}

TEST(Result, CarriesTheValueOrTheReason) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().code, errc::invalid);
  EXPECT_EQ(quarter(3).error().text, "odd");
}

TEST(Ids, ANodeIsItsName) {
  EXPECT_EQ(node_named("node-1"), node_named("node-1"));
  EXPECT_NE(node_named("node-1"), node_named("node-2"));
}

TEST(RandomSource, RepeatsForASeed) {
  random_source a{7};
  random_source b{7};
  random_source c{8};
  auto first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
}

TEST(RestartPolicy, PausesLongerAndGivesUpUnlessTheChildWasHealthy) {
  using namespace std::chrono_literals;
  restart_policy policy{{10ms, 35ms, 1s, 4}};
  time_point now{};
  for (auto pause : {10ms, 20ms, 35ms})
    EXPECT_EQ(policy.died(now, now + 5ms), pause);
  EXPECT_EQ(policy.died(now, now + 1s), 10ms);
  for (auto pause : {20ms, 35ms, 35ms})
    EXPECT_EQ(policy.died(now, now + 5ms), pause);
  EXPECT_EQ(policy.died(now, now + 5ms), std::nullopt);
}

} // namespace
} // namespace troupe
