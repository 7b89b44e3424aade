// Real processes and real sockets: what a user does, what he does wrong, and kill -9.
#include "tests/e2e/cluster.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
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

TEST_F(cluster, jobs_are_held_released_requeued_and_asked) {
  start_nodes(1, 2);
  auto held
    = submit(job_of("trap 'echo saved >> $TROUPE_OUTPUT/saved' USR1; : > $TROUPE_OUTPUT/on; "
                    "while :; do sleep 0.02; done"));
  ASSERT_TRUE(becomes(held, "running"));
  ASSERT_EQ(troupe({"hold", held, "--reason", "its data is wrong"}).code, 0);
  ASSERT_EQ(troupe({"requeue", held}).code, 0);
  ASSERT_TRUE(becomes(held, "restarting"));
  auto why = [&] { return troupe({"job", held, "--why"}).out; };
  EXPECT_TRUE(eventually(
    [&] { return why().find("it waits: it is held: its data is wrong") != std::string::npos; }))
    << why();
  EXPECT_NE(why().find("(preempted): requeued on request"), std::string::npos) << why();
  ASSERT_EQ(troupe({"release", held}).code, 0);
  ASSERT_TRUE(becomes(held, "running"));
  auto second = directory + "/jobs/" + held + "/2/";
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(second + "on"); }));
  auto asked = troupe({"ask", held, "checkpoint"});
  EXPECT_EQ(asked.out, "asked 1 tasks\n") << asked.err;
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(second + "saved"); }));
  EXPECT_EQ(troupe({"ask", held, "checkpoint", "--task", "worker:7"}).code, 2);
  EXPECT_EQ(troupe({"kill", held + ".." + held}).code, 0);
  EXPECT_TRUE(becomes(held, "killed"));
  EXPECT_EQ(troupe({"requeue", held}).code, 2);
}

TEST_F(cluster, an_array_runs_and_another_job_waits_for_all_of_it) {
  start_nodes(1, 4);
  auto array = write("array.yaml", "name: sweep\narray: {size: 4, at_once: 2}\ntasks:\n  worker:\n"
                                   "    command: echo $TROUPE_ARRAY_INDEX of $TROUPE_ARRAY_SIZE\n");
  auto first = submit(array);
  auto after = write("after.yaml", "name: gather\nneeds: [" + first
                                     + "]\ntasks:\n  worker:\n    command: echo all\n");
  EXPECT_EQ(troupe({"submit", after, "--wait"}).code, 0);
  for (int i = 0; i < 4; ++i) {
    auto id = std::to_string(std::stoi(first) + i);
    EXPECT_EQ(value_of(job_json(id), "state"), "succeeded");
    EXPECT_EQ(troupe({"logs", id}).out, std::to_string(i) + " of 4\n");
  }
}

TEST_F(cluster, the_schema_of_a_job_file_is_shown) {
  auto shown = troupe({"submit", "--explain"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("tasks.TYPE.instances_min"), std::string::npos) << shown.out;
  EXPECT_EQ(troupe({"submit"}).code, 2);
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

TEST_F(cluster, an_address_may_be_a_name) {
  auto up = troupe({"up", "--nodes", "1", "--cpus", "1", "--address", "localhost"});
  ASSERT_EQ(up.code, 0) << up.err;
  EXPECT_EQ(text_of(directory + "/endpoint").rfind("tcp://127.0.0.1:", 0), 0u);
  EXPECT_TRUE(becomes(submit(job_of("true")), "succeeded"));
  EXPECT_EQ(troupe({"down"}).code, 0);
  auto nowhere = troupe({"node", "--name", "lost", "--address", "nowhere.invalid"});
  EXPECT_NE(nowhere.code, 0);
  EXPECT_NE(nowhere.err.find("'nowhere.invalid' stands for no IPv4 address"), std::string::npos)
    << nowhere.err;
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
