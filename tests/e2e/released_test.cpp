// This version beside the last one that was released: one reads what the other wrote, and they
// speak with each other. `tests/run --released` builds that one and names it in TROUPE_RELEASED.
#include "tests/e2e/cluster.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace troupe::e2e {
namespace {

class released : public cluster {
protected:
  void SetUp() override {
    cluster::SetUp();
    if (!std::getenv("TROUPE_RELEASED")) {
      std::printf("SKIPPED: the last release beside this version (tests/run --released)\n");
      GTEST_SKIP();
    }
    older = std::getenv("TROUPE_RELEASED");
    newer = binary;
    ASSERT_TRUE(std::filesystem::exists(older)) << older;
  }

  // A gang of a task on each of two nodes, which know of each other.
  std::string pair_job() const {
    return job_of("echo $TROUPE_WORLD_SIZE $TROUPE_RANK >> seen; sleep 0.1", 2, 1);
  }

  // The master and one node of one version, a second node of the other.
  void runs_a_gang_on(const std::string& master, const std::string& joined) {
    binary = master;
    start_nodes(1, 1);
    auto there = other_machine("away");
    binary = joined;
    join("away", there);
    binary = master;
    ASSERT_TRUE(eventually([&] { return node_state("away") == "alive"; }));
    auto job = submit(pair_job());
    ASSERT_TRUE(becomes(job, "succeeded"));
    auto lines = seen();
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (std::vector<std::string>{"2 0", "2 1"}));
    EXPECT_NE(job_json(job).find("\"node\": \"away\""), std::string::npos);
    EXPECT_EQ(troupe({"drain", "away", "--reason", "over"}).code, 0);
  }

  std::string older;
  std::string newer;
};

TEST_F(released, its_store_is_read) {
  binary = older;
  start_nodes(1, 2);
  write("in.txt", "input");
  auto file = write("job.yaml", "name: first\ninputs: [in.txt]\noutputs: [out]\ntasks:\n  worker:\n"
                                "    command: echo hello; echo x > $TROUPE_OUTPUT/out\n");
  ASSERT_EQ(troupe({"submit", file, "--wait"}).code, 0);
  auto config = troupe({"job", "1", "--config"}).out;
  ASSERT_TRUE(eventually([&] {
    return troupe({"lineage", "show", "1"}).out.find("out") != std::string::npos;
  }));
  ASSERT_EQ(troupe({"down"}).code, 0);
  binary = newer;
  start_nodes(1, 2);
  EXPECT_EQ(value_of(job_json("1"), "state"), "succeeded");
  EXPECT_EQ(troupe({"logs", "1"}).out, "hello\n");
  EXPECT_FALSE(config.empty());
  EXPECT_EQ(troupe({"job", "1", "--config"}).out, config);
  EXPECT_NE(troupe({"lineage", "show", "1"}).out.find("out"), std::string::npos);
  EXPECT_EQ(troupe({"submit", file, "--wait"}).code, 0);
  EXPECT_NE(troupe({"jobs"}).out.find("first"), std::string::npos);
}

TEST_F(released, its_tasks_go_on_under_this_master) {
  binary = older;
  start_nodes(1, 2);
  auto job = submit(job_of(waits_at_gate));
  ASSERT_TRUE(becomes(job, "running"));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  // All but the executor and its task.
  auto agent = agent_process("node-1"), supervisor = node_process("node-1");
  auto master = master_process();
  auto master_supervisor = std::stoi(text_of(directory + "/run/master.pid"));
  // A supervisor that dies first tells its child to end well, one that lives starts the next one.
  for (auto process : {master_supervisor, supervisor})
    ASSERT_EQ(::kill(process, SIGSTOP), 0);
  for (auto process : {master, agent, master_supervisor, supervisor})
    ASSERT_EQ(::kill(process, SIGKILL), 0);
  ASSERT_TRUE(eventually([&] { return !lives(master) && !lives(agent); }));
  binary = newer;
  start_nodes(1, 2);
  ASSERT_TRUE(becomes(job, "running"));
  EXPECT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(seen().size(), 1u) << "it was started again";
}

TEST_F(released, its_nodes_join_this_master) {
  runs_a_gang_on(newer, older);
}

TEST_F(released, this_ones_nodes_join_its_master) {
  runs_a_gang_on(older, newer);
}

TEST_F(released, its_commands_ask_this_cluster) {
  start_nodes(1, 2);
  binary = older;
  auto job = submit(job_of("echo hello"));
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(troupe({"logs", job}).out, "hello\n");
  for (auto* command : {"status", "nodes", "jobs", "usage"})
    EXPECT_EQ(troupe({command}).code, 0) << command;
  binary = newer;
}

} // namespace
} // namespace troupe::e2e
