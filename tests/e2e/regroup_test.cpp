// A gang that loses a member and goes on without starting again, over real processes.
#include "tests/e2e/cluster.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

namespace troupe::e2e {

namespace {

namespace fs = std::filesystem;

std::vector<int> children_of(int process) {
  std::vector<int> out;
  std::ifstream in{"/proc/" + std::to_string(process) + "/task/" + std::to_string(process)
                   + "/children"};
  for (int each = 0; in >> each;)
    out.push_back(each);
  return out;
}

} // namespace

class regroup : public cluster {
protected:
  // Two workers that train and may go on as one; empty where there is no data.
  std::string training(int epochs) const {
    auto worker = fs::path{binary}.parent_path() / "fashion_mnist_worker";
    if (!fs::exists("/usr/share/datasets/fashion-mnist") || !fs::exists(worker)) {
      std::printf("SKIPPED: training that regroups: no dataset-fashion-mnist\n");
      return {};
    }
    return write(
      "train.yaml",
      "name: train\nattempts: 1\nregister_timeout: 20 s\ntasks:\n  worker:\n    instances: 2\n"
      "    instances_min: 1\n    on_failure: regroup\n    cpus: 1\n"
      "    env: {TROUPE_COLLECTIVE_TIMEOUT_S: \"3\"}\n"
      "    command: ["
        + worker.string() + ", --epochs, \"" + std::to_string(epochs) + "\"]\n");
  }

  bool printed(const std::string& job, const std::string& task, const std::string& text) const {
    return eventually([&] {
      return troupe({"logs", job, "--task", task}).out.find(text) != std::string::npos;
    });
  }

  // The job, when it trains on two nodes; empty where there is no data.
  std::string begin_training(int epochs) {
    auto file = training(epochs);
    if (file.empty())
      return {};
    start_nodes(2, 1);
    auto job = submit(file);
    EXPECT_FALSE(job.empty());
    EXPECT_TRUE(eventually([&] { return value_of(job_json(job), "epoch") == "{"; }));
    return job;
  }

  void expect_success_of_the_first_attempt(const std::string& job) const {
    EXPECT_TRUE(eventually([&] { return value_of(job_json(job), "state") == "succeeded"; },
                           std::chrono::seconds(240)));
    EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  }

  // The processes of the only task on a node.
  std::vector<int> commands_on(const std::string& node) const {
    auto executors = executors_of(node);
    EXPECT_EQ(executors.size(), 1u);
    return executors.empty() ? std::vector<int>{} : children_of(executors.front());
  }

  void signal_command(const std::string& node, int signal) const {
    auto commands = commands_on(node);
    ASSERT_FALSE(commands.empty());
    for (auto each : commands)
      ::kill(each, signal);
  }

  // The node that a task is on.
  std::string node_of(const std::string& job, const std::string& task) const {
    auto shown = job_json(job);
    auto before = shown.rfind("\"node\"", shown.find("\"" + task + "\""));
    return before == std::string::npos ? "" : value_of(shown.substr(before), "node");
  }
};

TEST_F(regroup, survivors_go_on_and_a_new_task_joins_them) {
  auto job = begin_training(3);
  if (job.empty())
    GTEST_SKIP();
  signal_command(node_of(job, "worker:1"), SIGKILL);
  ASSERT_TRUE(printed(job, "worker:0", "generation 1: rank 0 of 1 goes on"));
  ASSERT_TRUE(printed(job, "worker:0", "generation 2: rank 0 of 2 goes on"));
  ASSERT_TRUE(printed(job, "worker:2", "generation 2: rank 1 of 2 goes on"));
  // And the one that led so far.
  signal_command(node_of(job, "worker:0"), SIGKILL);
  ASSERT_TRUE(printed(job, "worker:2", "generation 3: rank 0 of 1 goes on"));
  expect_success_of_the_first_attempt(job);
  EXPECT_TRUE(printed(job, "worker:2", "test accuracy"));
}

// Its machine and its executor are well: only the others notice.
TEST_F(regroup, a_member_that_stands_still_is_killed_and_replaced) {
  auto job = begin_training(3);
  if (job.empty())
    GTEST_SKIP();
  auto node = node_of(job, "worker:1");
  auto commands = commands_on(node);
  signal_command(node, SIGSTOP);
  ASSERT_TRUE(printed(job, "worker:0", "generation 1: rank 0 of 1 goes on"));
  ASSERT_TRUE(printed(job, "worker:2", "generation 2: rank 1 of 2 goes on"));
  for (auto each : commands)
    EXPECT_TRUE(eventually([&] { return ::kill(each, 0) != 0; }));
  EXPECT_NE(troupe({"job", job, "--why"}).out.find("the others of its gang wait for it"),
            std::string::npos);
  expect_success_of_the_first_attempt(job);
}

TEST_F(regroup, a_lost_machine_is_a_lost_member) {
  auto job = begin_training(2);
  if (job.empty())
    GTEST_SKIP();
  signal_node(node_of(job, "worker:1"), SIGKILL);
  ASSERT_TRUE(printed(job, "worker:0", "generation 1: rank 0 of 1 goes on"));
  expect_success_of_the_first_attempt(job);
}

// The master that decided is killed before every member says that it knows.
TEST_F(regroup, a_new_master_goes_on_with_the_generation) {
  auto job = begin_training(3);
  if (job.empty())
    GTEST_SKIP();
  signal_command(node_of(job, "worker:1"), SIGKILL);
  ::kill(master_process(), SIGKILL);
  ASSERT_TRUE(printed(job, "worker:0", "generation 1: rank 0 of 1 goes on"));
  ASSERT_TRUE(printed(job, "worker:0", "generation 2: rank 0 of 2 goes on"));
  expect_success_of_the_first_attempt(job);
}

} // namespace troupe::e2e
