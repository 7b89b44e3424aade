// The rules of rules.hpp, applied to this tree.
#include "tests/tidy/rules.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace troupe::tidy {
namespace {

TEST(Tidy, TheTreeKeepsItsRules) {
  auto files = read_tree(std::filesystem::current_path());
  ASSERT_TRUE(files) << files.error().text;
  for (auto& each : without_exceptions(all_rules(*files), exceptions()))
    ADD_FAILURE() << each.path << ":" << each.line << ": " << each.rule << ": " << each.text;
}

TEST(Tidy, EveryExceptionHasAReason) {
  for (auto& each : exceptions())
    EXPECT_GT(each.reason.size(), 20u) << each.path;
}

} // namespace
} // namespace troupe::tidy
