// The numbers of a node's lives, where its clock cannot be trusted.
#include "launcher/node_life.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace troupe::launcher {
namespace {

TEST(NodeLife, IsALaterOneThoughTheClockJumpedBack) {
  scratch_directory scratch;
  auto path = scratch.path + "/executors/node-1.life";
  constexpr int64_t year = 31'557'600'000'000'000;
  auto first = begin_life(path, 50 * year);
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_EQ(*first, static_cast<uint64_t>(50 * year));
  uint64_t last = *first;
  for (auto clock : {50 * year, 49 * year, int64_t{0}, int64_t{-5}}) {
    auto next = begin_life(path, clock);
    ASSERT_TRUE(next) << next.error().text;
    EXPECT_EQ(*next, last + 1) << clock;
    last = *next;
  }
  EXPECT_EQ(*begin_life(path, 51 * year), static_cast<uint64_t>(51 * year));
}

TEST(NodeLife, SaysWhatIsWrongWithItsFile) {
  scratch_directory scratch;
  auto path = scratch.path + "/node-1.life";
  std::ofstream{path} << "garbage";
  auto none = begin_life(path, 1);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().text.find(path), std::string::npos);
  none = begin_life("/proc/no/such.life", 1);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::io);
}

} // namespace
} // namespace troupe::launcher
