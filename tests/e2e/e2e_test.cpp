// Real processes and real sockets: what a user does, what he does wrong, and kill -9.
#include "tests/e2e/cluster.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <set>

namespace troupe::e2e {

namespace {

// True when no rank of any attempt ran twice.
bool each_ran_once(const std::vector<std::string>& lines) {
  std::set<std::string> ran;
  return std::all_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return ran.insert(line.substr(0, line.rfind(' '))).second;
  });
}

} // namespace

TEST_F(cluster, a_job_of_two_tasks_runs_and_is_recorded) {
  start_nodes(2, 2);
  auto ran = troupe({"submit", job_of("echo hello from $TROUPE_RANK", 2), "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto logs = troupe({"logs", "1"});
  EXPECT_NE(logs.out.find("hello from 0"), std::string::npos) << logs.out;
  EXPECT_NE(logs.out.find("hello from 1"), std::string::npos) << logs.out;
  auto lineage = troupe({"lineage", "show", "1"});
  EXPECT_NE(lineage.out.find("probe"), std::string::npos) << lineage.out;
  EXPECT_NE(lineage.out.find("worker:1"), std::string::npos) << lineage.out;
}

TEST_F(cluster, a_job_that_fails_says_which_task_and_code) {
  start_nodes(1, 2);
  auto ran = troupe({"submit", job_of("exit 3", 1, 1), "--wait"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("worker:0"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("code 3"), std::string::npos) << ran.err;
}

TEST_F(cluster, a_node_that_drains_gets_no_new_tasks) {
  start_nodes(2, 1);
  auto before = submit(job_of(waits_at_gate));
  ASSERT_TRUE(becomes(before, "running"));
  auto busy = value_of(job_json(before), "node");
  ASSERT_EQ(troupe({"drain", busy, "--reason", "a disk is replaced"}).code, 0);
  auto nodes = troupe({"nodes"}).out;
  EXPECT_NE(nodes.find("draining"), std::string::npos) << nodes;
  EXPECT_NE(nodes.find("a disk is replaced"), std::string::npos) << nodes;
  ASSERT_TRUE(open_gate()); // what it had goes on
  EXPECT_TRUE(becomes(before, "succeeded"));
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0); // and its successor knows
  auto two = submit(job_of("true", 2));
  EXPECT_EQ(value_of(job_json(two), "state"), "queued");
  ASSERT_EQ(troupe({"resume", busy}).code, 0);
  EXPECT_TRUE(becomes(two, "succeeded"));
  EXPECT_EQ(troupe({"drain", "no-such-node"}).code, 2);
}

TEST_F(cluster, bad_input_is_refused_and_makes_no_job) {
  start_nodes(1, 2);
  auto with = [&](const std::string& name, const std::string& lines) {
    return write(name, "name: bad\ntasks:\n  worker:\n    instances: 1\n" + lines);
  };
  const std::string runs = "    command: [/bin/true]\n";
  for (auto& file : {with("unknown_key.yaml", runs + "    cups: 1\n"),
                     with("negative.yaml", runs + "    cpus: -1\n"),
                     with("demand.yaml", runs + "    cpus: 64\n"),
                     with("program.yaml", "    command: [/no/such/program]\n"),
                     scratch + "/no_such_file.yaml"}) {
    auto refused = troupe({"submit", file});
    EXPECT_EQ(refused.code, 2) << file << ": " << refused.err;
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  }
  EXPECT_EQ(troupe({"jobs", "--json"}).out, "[]\n");
}

TEST_F(cluster, a_question_to_no_cluster_ends_with_3) {
  EXPECT_EQ(troupe({"jobs"}).code, 3);
  EXPECT_EQ(troupe({"status"}).code, 3);
}

TEST_F(cluster, a_second_cluster_in_a_directory_is_refused) {
  start_nodes(1, 1);
  EXPECT_EQ(troupe({"up", "--nodes", "1"}).code, 2);
  EXPECT_EQ(troupe({"status"}).code, 0);
}

TEST_F(cluster, submit_without_a_cluster_runs_the_job_itself) {
  auto ran = troupe({"submit", job_of("echo $TROUPE_ATTEMPT $TROUPE_RANK $$ >> seen"), "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(seen().size(), 1u);
}

TEST_F(cluster, a_killed_task_makes_the_gang_run_again) {
  start_nodes(1, 2);
  auto job = submit(job_of(waits_once));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  ASSERT_EQ(::kill(process_in(seen()[0]), SIGKILL), 0);
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "2");
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(cluster, a_killed_master_does_not_touch_the_task) {
  start_nodes(1, 2);
  auto job = submit(job_of(waits_at_gate));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  ASSERT_TRUE(becomes(job, "running"));
  auto killed = master_process();
  ASSERT_GT(killed, 1);
  ASSERT_EQ(::kill(killed, SIGKILL), 0);
  ASSERT_TRUE(eventually([&] {
    auto now = master_process();
    return now > 1 && now != killed;
  }));
  EXPECT_TRUE(lives(process_in(seen()[0])));
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  EXPECT_EQ(seen().size(), 1u);
  EXPECT_TRUE(each_ran_once(seen()));
}

} // namespace troupe::e2e
