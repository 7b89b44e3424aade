// The contract between Troupe and the process of a task.
#include "actors/training/task_environment.hpp"

#include <gtest/gtest.h>

#include <map>

namespace troupe::training {
namespace {

result<task_environment> read(const std::map<std::string, std::string>& set) {
  return read_environment([&](const char* name) -> const char* {
    auto found = set.find(name);
    return found == set.end() ? nullptr : found->second.c_str();
  });
}

TEST(TaskEnvironment, WithoutVariablesAProcessIsAGangOfItsOwn) {
  auto task = read({});
  ASSERT_TRUE(task);
  EXPECT_EQ(task->world_size, 1u);
  EXPECT_EQ(task->attempt, 1u);
  EXPECT_FALSE(task->metrics_fd);
  auto gang = join_gang(*task);
  ASSERT_TRUE(gang);
  EXPECT_EQ(gang->get(), nullptr);
}

TEST(TaskEnvironment, ReadsWhatTroupeSets) {
  auto task = read({{"TROUPE_JOB", "7"},
                    {"TROUPE_ATTEMPT", "3"},
                    {"TROUPE_RANK", "1"},
                    {"TROUPE_WORLD_SIZE", "2"},
                    {"TROUPE_MEMBERS", "127.0.0.1:4000,127.0.0.1:4001"},
                    {"TROUPE_LISTEN_FD", "5"},
                    {"TROUPE_METRICS_FD", "6"},
                    {"TROUPE_COLLECTIVE_TIMEOUT_S", "7"},
                    {"TROUPE_OUTPUT", "/out"}});
  ASSERT_TRUE(task) << task.error().text;
  EXPECT_EQ(task->attempt, 3u);
  EXPECT_EQ(task->rank, 1u);
  EXPECT_EQ(task->members[1], "127.0.0.1:4001");
  EXPECT_EQ(task->listen_fd, 5);
  EXPECT_EQ(task->metrics_fd, 6);
  EXPECT_EQ(task->deadline, std::chrono::seconds(7));
  EXPECT_EQ(task->output, "/out");
  EXPECT_TRUE(task->one_host());
  task->members[1] = "127.0.0.2:4001";
  EXPECT_FALSE(task->one_host());
}

TEST(TaskEnvironment, RefusesWhatMakesNoSenseAndNamesIt) {
  auto refused = [](const std::map<std::string, std::string>& set, const char* name) {
    auto task = read(set);
    return !task && task.error().code == errc::invalid
           && task.error().text.find(name) != std::string::npos;
  };
  EXPECT_TRUE(refused({{"TROUPE_RANK", "x"}}, "TROUPE_RANK"));
  EXPECT_TRUE(refused({{"TROUPE_RANK", "-1"}}, "TROUPE_RANK"));
  EXPECT_TRUE(refused({{"TROUPE_COLLECTIVE_TIMEOUT_S", "soon"}}, "TROUPE_COLLECTIVE_TIMEOUT_S"));
  EXPECT_TRUE(refused({{"TROUPE_COLLECTIVE_TIMEOUT_S", "0"}}, "TROUPE_COLLECTIVE_TIMEOUT_S"));
  EXPECT_TRUE(refused({{"TROUPE_RANK", "1"}}, "TROUPE_RANK"));
  EXPECT_TRUE(refused({{"TROUPE_WORLD_SIZE", "99999999999"}}, "TROUPE_WORLD_SIZE"));
  EXPECT_TRUE(refused({{"TROUPE_WORLD_SIZE", "2"}, {"TROUPE_MEMBERS", "a:1"}}, "TROUPE_MEMBERS"));
  EXPECT_TRUE(refused({{"TROUPE_LISTEN_FD", "-3"}}, "TROUPE_LISTEN_FD"));
  EXPECT_TRUE(refused({{"TROUPE_METRICS_FD", "2x"}}, "TROUPE_METRICS_FD"));
}

} // namespace
} // namespace troupe::training
