// A cluster whose nodes come from a real Slurm: its allocation starts, ends, is put back into the
// queue and taken away, and the jobs go on.
#include "tests/e2e/cluster.hpp"
#include "tests/support/slurm_cluster.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

namespace troupe::e2e {

namespace fs = std::filesystem;

class slurm : public cluster {
protected:
  void SetUp() override {
    if (auto why = slurm_cluster::missing(); !why.empty()) {
      std::printf("SKIPPED: a cluster under Slurm: %s\n", why.c_str());
      GTEST_SKIP();
    }
    cluster::SetUp();
    ::chmod(scratch.c_str(), 0755);
    manager = std::make_unique<slurm_cluster>(scratch + "/slurm", 3, 2);
    auto started = manager->start();
    ASSERT_TRUE(started) << started.error().text;
  }

  void TearDown() override {
    if (!manager)
      return;
    if (!allocation().empty()) {
      EXPECT_EQ(troupe({"down"}).code, 0);
    }
    cluster::TearDown();
    manager.reset();
  }

  // Starts the cluster and waits until its nodes have joined.
  void start_allocation(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"up", "--slurm",  "--wait", "--nodes", "2", "--cpus",
                                   "1",  "--memory", "200MiB", "--time",  "10"};
    words.insert(words.end(), more.begin(), more.end());
    auto up = troupe(words);
    ASSERT_EQ(up.code, 0) << up.err;
  }

  std::string allocation() const {
    std::string job;
    std::getline(std::ifstream{directory + "/slurm.job"}, job);
    return job;
  }

  std::string allocation_state() const {
    auto state = manager->ask({"squeue", "-h", "-t", "all", "-j", allocation(), "-o", "%T"});
    return state.substr(0, state.find('\n'));
  }

  // What was submitted is one attempt only: moving a gang must not cost it.
  std::string waiting_gang() {
    auto job = submit(job_of(waits_once, 2, 1));
    EXPECT_TRUE(eventually([&] { return seen().size() == 2; }));
    EXPECT_TRUE(becomes(job, "running"));
    return job;
  }

  std::unique_ptr<slurm_cluster> manager;
};

TEST_F(slurm, a_job_runs_in_an_allocation_and_nothing_is_left_of_either) {
  start_allocation({"--label", "slow"});
  EXPECT_EQ(allocation_state(), "RUNNING");
  auto nodes = troupe({"nodes", "--json"}).out;
  EXPECT_EQ(value_of(nodes, "cpus"), "1");
  EXPECT_NE(nodes.find("\"slow\""), std::string::npos) << nodes;
  auto ran
    = troupe({"submit", job_of("echo $TROUPE_ATTEMPT $TROUPE_RANK $$ >> seen", 2), "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(seen().size(), 2u);
  auto second = troupe({"up", "--slurm"});
  EXPECT_EQ(second.code, 2);
  EXPECT_NE(second.err.find("allocation " + allocation()), std::string::npos) << second.err;
  auto job = submit(job_of("exec sleep 1000", 2));
  ASSERT_TRUE(becomes(job, "running"));
  EXPECT_EQ(troupe({"down"}).code, 0);
  EXPECT_EQ(manager->ask({"squeue", "-h"}), "");
  EXPECT_EQ(allocation(), "");
}

TEST_F(slurm, an_allocation_that_is_requeued_joins_again_and_its_jobs_go_on) {
  start_allocation();
  auto job = waiting_gang();
  EXPECT_EQ(manager->ask({"scontrol", "requeue", allocation()}), "");
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "2");
  EXPECT_EQ(node_state("slurm-0"), "alive");
  EXPECT_EQ(node_state("slurm-1"), "alive");
}

TEST_F(slurm, an_allocation_that_is_preempted_gives_its_machines_away_and_comes_back) {
  start_allocation();
  auto job = waiting_gang();
  auto other = manager->ask({"sbatch", "--parsable", "--partition=high", "--nodes=3", "--exclusive",
                             "--output=/dev/null", "--wrap=sleep 1000"});
  EXPECT_TRUE(eventually([&] { return node_state("slurm-0") == "lost"; }));
  EXPECT_TRUE(eventually([&] { return allocation_state() == "PENDING"; })) << allocation_state();
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  manager->ask({"scancel", other.substr(0, other.find('\n'))});
  EXPECT_TRUE(becomes(job, "succeeded"));
}

TEST_F(slurm, before_the_time_is_up_the_nodes_leave_and_the_gang_waits_for_others) {
  // Slurm looks at the limits every half minute: the signal is there before the end.
  start_allocation({"--slurm-option=--signal=TERM@590"});
  auto job = waiting_gang();
  EXPECT_TRUE(
    eventually([&] { return allocation_state() == "COMPLETED"; }, std::chrono::seconds(60)))
    << allocation_state();
  EXPECT_EQ(node_state("slurm-0"), "lost");
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  start_allocation(); // another one for the same cluster
  EXPECT_TRUE(becomes(job, "succeeded"));
}

TEST_F(slurm, what_slurm_refuses_is_told_and_starts_nothing) {
  auto refused = troupe({"up", "--slurm", "--partition", "nowhere"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find("invalid partition specified: nowhere"), std::string::npos)
    << refused.err;
  EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  auto ended = troupe({"up", "--slurm", "--wait", "--begin=now"});
  EXPECT_EQ(ended.code, 2) << ended.err; // an option of sbatch goes into --slurm-option
  EXPECT_EQ(troupe({"status"}).code, 3);
}

TEST_F(slurm, a_directory_that_the_machines_do_not_see_is_named) {
  // A file system of this process and its children only: Slurm's daemons are older.
  fs::create_directory(directory);
  if (::unshare(CLONE_NEWNS) != 0
      || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0
      || ::mount("none", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, nullptr) != 0) {
    std::printf("SKIPPED: a directory that Slurm does not see: this user may not mount one\n");
    GTEST_SKIP();
  }
  auto up = troupe({"up", "--slurm", "--wait"});
  EXPECT_EQ(up.code, 3);
  EXPECT_NE(up.err.find(directory + " cannot be read on its first machine"), std::string::npos)
    << up.err;
  EXPECT_EQ(troupe({"status"}).code, 3);
  EXPECT_EQ(manager->ask({"squeue", "-h"}), "");
  EXPECT_EQ(::umount2(directory.c_str(), MNT_DETACH), 0);
}

} // namespace troupe::e2e
