// What dies, freezes or leaves while a job runs: the job is done all the same, and nothing runs
// twice.
#include "tests/e2e/cluster.hpp"

#include <sys/mount.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace troupe::e2e {

namespace {

namespace fs = std::filesystem;

// A complete one, of one rank or of two; what is being written has another suffix.
bool has_checkpoint(const std::string& below) {
  constexpr std::string_view first = "shard-0000-of-0002.ckpt";
  std::error_code changing;
  fs::recursive_directory_iterator all{below, changing};
  return std::any_of(begin(all), end(all), [&](auto& entry) {
    auto path = entry.path().string();
    if (path.ends_with(first))
      return fs::exists(
        path.replace(path.size() - first.size(), first.size(), "shard-0001-of-0002.ckpt"));
    return path.ends_with(".ckpt") && path.find("shard") == std::string::npos;
  });
}

} // namespace

class faults : public cluster {
protected:
  std::string training(const std::string& keys, const std::string& options) const;

  // A gang of two that waits in its first attempt, running; its job.
  std::string waiting_gang() {
    auto job = submit(job_of(waits_once, 2));
    EXPECT_TRUE(eventually([&] { return seen().size() == 2; }));
    EXPECT_TRUE(becomes(job, "running"));
    return job;
  }

  // The gang has run again, once, and nothing of its first attempt is left.
  void expect_second_attempt(const std::string& job) {
    EXPECT_TRUE(becomes(job, "succeeded"));
    EXPECT_EQ(value_of(job_json(job), "attempt"), "2");
    auto lines = seen();
    ASSERT_EQ(lines.size(), 4u);
    for (auto& line : lines)
      EXPECT_TRUE(eventually([&] { return !lives(process_in(line)); })) << line;
  }
};

// The cluster's directory is a disk of its own, which a test can fill.
class small_disk : public faults {
protected:
  void SetUp() override {
    faults::SetUp();
    fs::create_directory(directory);
    mounted_
      = ::mount("none", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=8m,mode=0700") == 0;
    if (!mounted_) {
      std::printf("SKIPPED: a full disk: this user may not mount one\n");
      GTEST_SKIP();
    }
  }

  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(troupe({"down"}).code, 0);
      EXPECT_EQ(::umount2(directory.c_str(), MNT_DETACH), 0);
    }
    faults::TearDown();
  }

  void fill() const {
    std::ofstream ballast{directory + "/ballast", std::ios::binary};
    const std::string block(4096, 'x');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }

private:
  bool mounted_ = false;
};

TEST_F(small_disk, a_full_disk_loses_nothing_that_was_accepted) {
  start_nodes(1, 2);
  auto first = submit(job_of("echo $TROUPE_RANK >> seen"));
  ASSERT_TRUE(becomes(first, "succeeded"));
  fill();
  // The first may still fit into what the store has reserved.
  auto large = write("large.yaml", "name: large\ntasks:\n  worker:\n    cpus: 1\n    env: {FILLER: "
                                     + std::string(60'000, 'x') + "}\n    command: [/bin/true]\n");
  std::vector<std::string> accepted{first};
  outcome refused;
  ASSERT_TRUE(eventually([&] {
    refused = troupe({"submit", large, "--json"});
    if (refused.code == 0)
      accepted.push_back(value_of(refused.out, "job"));
    return refused.code != 0;
  }));
  EXPECT_NE(refused.code, 2) << refused.err;
  EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  fs::remove(directory + "/ballast");
  ASSERT_TRUE(eventually([&] { return troupe({"status"}).code == 0; }));
  for (auto& job : accepted)
    EXPECT_EQ(troupe({"job", job}).code, 0) << "job " << job;
  auto next = submit(job_of("echo $TROUPE_RANK >> seen"));
  EXPECT_TRUE(becomes(next, "succeeded"));
}

TEST_F(faults, a_killed_executor_takes_its_task_along) {
  start_nodes(1, 2);
  auto job = waiting_gang();
  auto executors = executors_of("node-1");
  ASSERT_EQ(executors.size(), 2u);
  ASSERT_EQ(::kill(executors[0], SIGKILL), 0);
  expect_second_attempt(job);
  EXPECT_NE(troupe({"job", job, "--why"}).out.find("(infrastructure)"), std::string::npos);
}

TEST_F(faults, a_frozen_executor_is_killed_with_its_task) {
  start_nodes(1, 2);
  auto job = waiting_gang();
  auto executors = executors_of("node-1");
  ASSERT_EQ(executors.size(), 2u);
  ASSERT_EQ(::kill(executors[0], SIGSTOP), 0);
  expect_second_attempt(job);
  EXPECT_FALSE(lives(executors[0]));
  EXPECT_NE(troupe({"job", job, "--why"}).out.find("its executor was silent for 10 s"),
            std::string::npos);
}

TEST_F(faults, a_killed_fork_server_costs_no_task) {
  start_nodes(1, 2);
  auto job = submit(job_of(waits_at_gate));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  ASSERT_TRUE(becomes(job, "running"));
  auto server = fork_server_of("node-1");
  ASSERT_GT(server, 1);
  ASSERT_EQ(::kill(server, SIGKILL), 0);
  auto next = write("next.yaml", "name: next\ntasks:\n  worker:\n    instances: 1\n    memory: 16 "
                                 "MiB\n    command: [/bin/true]\n");
  EXPECT_EQ(troupe({"submit", next, "--wait"}).code, 0); // another has been started
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  EXPECT_EQ(seen().size(), 1u);
}

TEST_F(faults, a_killed_agent_is_back_with_its_tasks) {
  start_nodes(1, 2);
  auto job = submit(job_of(waits_at_gate));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  ASSERT_TRUE(becomes(job, "running"));
  auto killed = agent_process("node-1");
  ASSERT_GT(killed, 1);
  ASSERT_EQ(::kill(killed, SIGKILL), 0);
  ASSERT_TRUE(eventually([&] {
    auto now = agent_process("node-1");
    return now > 1 && now != killed && node_state("node-1") == "alive";
  }));
  EXPECT_TRUE(lives(process_in(seen()[0])));
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  EXPECT_EQ(seen().size(), 1u);
}

TEST_F(faults, the_gang_of_a_dead_machine_runs_elsewhere) {
  start_nodes(3, 1);
  auto job = waiting_gang();
  auto node = value_of(job_json(job), "node");
  signal_node(node, SIGKILL);
  expect_second_attempt(job);
  EXPECT_EQ(node_state(node), "lost");
}

TEST_F(faults, a_machine_that_thaws_is_told_that_its_gang_has_moved) {
  start_nodes(3, 1);
  auto job = waiting_gang();
  auto node = value_of(job_json(job), "node");
  signal_node(node, SIGSTOP);
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(node_state(node), "lost");
  signal_node(node, SIGCONT);
  expect_second_attempt(job);
  EXPECT_TRUE(eventually([&] { return node_state(node) == "alive"; }));
  EXPECT_EQ(value_of(job_json(job), "state"), "succeeded");
}

TEST_F(faults, the_gang_of_a_node_that_leaves_moves) {
  start_nodes(3, 1);
  auto job = waiting_gang();
  auto node = value_of(job_json(job), "node");
  auto process = node_process(node);
  ASSERT_EQ(::kill(process, SIGTERM), 0);
  expect_second_attempt(job);
  EXPECT_TRUE(eventually([&] { return !lives(process); }));
  EXPECT_EQ(node_state(node), "lost");
}

TEST_F(faults, who_waits_for_a_job_does_not_notice_that_its_master_died) {
  start_nodes(1, 2);
  start_process("wait", {"--dir", directory, "submit", job_of(waits_at_gate), "--wait"});
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0);
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(eventually(
    [&] { return text_of(scratch + "/wait.log").find("job 1 succeeded") != std::string::npos; }))
    << text_of(scratch + "/wait.log");
}

TEST_F(faults, a_killed_job_leaves_no_process) {
  start_nodes(1, 2);
  auto job = waiting_gang();
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(becomes(job, "killed"));
  for (auto& line : seen())
    EXPECT_TRUE(eventually([&] { return !lives(process_in(line)); }));
  EXPECT_EQ(troupe({"kill", "99"}).code, 2);
}

TEST_F(faults, a_node_of_another_machine_joins_with_its_key) {
  start_nodes(1, 1);
  auto there = other_machine("far");
  join("far", there);
  ASSERT_TRUE(eventually([&] { return node_state("far") == "alive"; }));
  auto ran = troupe({"submit", job_of("echo $TROUPE_RANK >> seen", 2), "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("on far"), std::string::npos) << ran.out;
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(faults, a_key_that_is_not_listed_lets_nobody_in) {
  start_nodes(1, 1);
  auto there = other_machine("stranger");
  fs::remove(directory + "/keys/authorized/stranger.public");
  join("stranger", there);
  EXPECT_TRUE(eventually([&] {
    return text_of(there + "/logs/stranger.log").find("did not let key") != std::string::npos;
  }));
  EXPECT_EQ(node_state("stranger"), "");
}

TEST_F(faults, a_task_that_ignores_sigterm_is_killed_after_its_grace) {
  start_nodes(1, 1);
  auto program = write("task.sh", "trap '' TERM\ncd " + scratch
                                    + "\necho $$ >> seen\nwhile :; do sleep 1000; done\n");
  auto job = submit(write("job.yaml", "name: stubborn\ngrace_period: 300 ms\ntasks:\n  worker:\n"
                                      "    command: [/bin/sh, "
                                        + program + "]\n"));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(becomes(job, "killed"));
  EXPECT_FALSE(lives(process_in(seen()[0])));
}

// The one that was submitted second has the shorter grace, so it ends first.
TEST_F(faults, a_task_that_is_over_its_time_ends_with_its_group_after_its_jobs_grace) {
  start_nodes(1, 2);
  auto program
    = write("task.sh", "trap '' TERM\ncd " + scratch
                         + "\nsh -c 'while :; do sleep 1000; done' &\n"
                           "echo $TROUPE_JOB $! >> seen\nwhile :; do sleep 1000; done\n");
  auto over_its_time = [&](const std::string& keys) {
    return submit(write("job.yaml", "name: late\nattempts: 1\n" + keys
                                      + "tasks:\n  worker:\n    timeout: 500 ms\n"
                                        "    command: [/bin/sh, "
                                      + program + "]\n"));
  };
  auto patient = over_its_time("grace_period: 1 h\n");
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  auto strict = over_its_time("grace_period: 100 ms\n");
  EXPECT_TRUE(becomes(strict, "failed"));
  EXPECT_EQ(value_of(job_json(strict), "exit_code"), "124");
  ASSERT_EQ(seen().size(), 2u);
  EXPECT_FALSE(lives(process_in(seen()[1])));
  EXPECT_EQ(value_of(job_json(patient), "state"), "running");
  ASSERT_TRUE(lives(process_in(seen()[0])));
  EXPECT_EQ(::kill(parent_of(process_in(seen()[0])), SIGKILL), 0);
}

TEST_F(faults, a_task_that_forks_away_leaves_nothing) {
  start_nodes(1, 1);
  auto forks = std::string{"setsid sh -c 'sleep 1000 & echo $! >> seen; sleep 1000' & "}
               + "setsid sh -c 'sleep 1000 & echo $! >> seen'; "
               + "while [ $(wc -l < seen) -lt 2 ]; do :; done";
  auto job = submit(job_of(forks));
  EXPECT_TRUE(becomes(job, "succeeded"));
  ASSERT_EQ(seen().size(), 2u);
  for (auto& line : seen())
    EXPECT_FALSE(lives(process_in(line))) << line;
}

TEST_F(faults, a_log_flood_costs_the_log_and_not_the_task) {
  start_nodes(1, 3);
  auto other = submit(job_of(waits_at_gate));
  ASSERT_TRUE(becomes(other, "running"));
  auto flood
    = write("flood.yaml", // a billion bytes, in lines; its last word is in a file
            "name: flood\ntasks:\n  worker:\n    command: yes 'a line of the flood' | head -c "
            "1000000000; echo metric left 7 1 >&$TROUPE_METRICS_FD; echo written > "
              + scratch + "/written\n");
  auto job = submit(flood);
  auto log = directory + "/jobs/" + job + "/1/worker-0.log";
  std::error_code none;
  ASSERT_TRUE(eventually([&] { return fs::exists(log, none) && fs::file_size(log, none) > 0; }));
  auto beside = write("beside.yaml", "name: beside\ntasks:\n  worker:\n    command: echo beside\n");
  EXPECT_EQ(troupe({"submit", beside, "--wait"}).code, 0); // on the same node, meanwhile
  EXPECT_EQ(node_state("node-1"), "alive");
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(text_of(scratch + "/written"), "written\n"); // nothing held it up
  constexpr uintmax_t limit = 64 << 20;
  EXPECT_GE(fs::file_size(log), limit);
  EXPECT_LT(fs::file_size(log), limit + 200);
  auto end = text_of(log).substr(limit - 100);
  EXPECT_NE(end.find("\n[the log was cut here: it reached its limit of 67108864 bytes]\n"),
            std::string::npos)
    << end;
  EXPECT_NE(troupe({"metrics", job, "--name", "left"}).out.find("left"), std::string::npos);
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(other, "succeeded")); // its neighbour has noticed nothing
  EXPECT_EQ(value_of(job_json(other), "attempt"), "1");
}

TEST_F(small_disk, a_full_log_disk_costs_the_log_and_not_the_task) {
  start_nodes(1, 2);
  auto talks = waits_at_gate + "\nhead -c 1000000 /dev/zero\necho done >> seen";
  auto job = submit(job_of(talks));
  ASSERT_TRUE(becomes(job, "running"));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  fill();
  ASSERT_TRUE(open_gate());
  ASSERT_TRUE(eventually([&] { return seen().size() == 2; }));
  EXPECT_LT(fs::file_size(directory + "/jobs/" + job + "/1/worker-0.log"), 1'000'000u);
  fs::remove(directory + "/ballast");
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
}

TEST_F(faults, a_node_frozen_in_allocation_registration_or_teardown_comes_back) {
  start_nodes(3, 1);
  auto thaw = [&](const std::string& node) {
    signal_node(node, SIGCONT);
    EXPECT_TRUE(eventually([&] { return node_state(node) == "alive"; }));
  };
  // The first placement still counts on it.
  signal_node("node-1", SIGSTOP);
  auto job = submit(job_of("echo $TROUPE_JOB $TROUPE_RANK $$ >> seen", 2));
  EXPECT_TRUE(becomes(job, "succeeded"));
  thaw("node-1");
  EXPECT_EQ(seen().size(), 2u);
  // One of two has registered, the other one's executor is on its way.
  ASSERT_TRUE(becomes(submit(job_of("true", 3)), "succeeded"));
  auto server = fork_server_of("node-1");
  ASSERT_GT(server, 1);
  ASSERT_EQ(::kill(server, SIGSTOP), 0);
  job = submit(job_of("echo $TROUPE_ATTEMPT $TROUPE_RANK $$ >> seen", 2));
  ASSERT_TRUE(
    eventually([&] { return job_json(job).find("\"registered\"") != std::string::npos; }));
  signal_node("node-1", SIGSTOP);
  EXPECT_TRUE(becomes(job, "succeeded"));
  ASSERT_EQ(::kill(server, SIGCONT), 0);
  thaw("node-1");
  ASSERT_EQ(seen().size(), 4u);
  for (size_t i = 2; i < 4; ++i)
    EXPECT_TRUE(seen()[i].starts_with("2 ")) << seen()[i]; // the first attempt never ran
  // Its tasks are told to stop and cannot hear it.
  job = submit(job_of(waits_at_gate, 3));
  ASSERT_TRUE(eventually([&] { return seen().size() == 7; }));
  signal_node("node-1", SIGSTOP);
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(becomes(job, "killed"));
  thaw("node-1");
  for (size_t i = 4; i < 7; ++i)
    EXPECT_TRUE(eventually([&] { return !lives(process_in(seen()[i])); })) << seen()[i];
}

TEST_F(faults, many_tasks_go_on_without_their_master_and_their_agent) {
  constexpr int tasks = 500;
  start_nodes(1, tasks);
  auto program = write("task.sh", "cd " + scratch + "\necho $$ >> seen\nexec sleep 1000\n");
  auto job = submit(
    write("job.yaml", "name: many\ntasks:\n  worker:\n    instances: " + std::to_string(tasks)
                        + "\n    command: [/bin/sh, " + program + "]\n"));
  ASSERT_TRUE(eventually([&] { return seen().size() == tasks; }, std::chrono::seconds(120)));
  ASSERT_TRUE(becomes(job, "running"));
  auto master = master_process(), agent = agent_process("node-1");
  ASSERT_GT(master, 1);
  ASSERT_GT(agent, 1);
  ASSERT_EQ(::kill(master, SIGKILL), 0);
  ASSERT_EQ(::kill(agent, SIGKILL), 0);
  ASSERT_TRUE(eventually([&] {
    auto now = master_process();
    return now > 1 && now != master && agent_process("node-1") > 1
           && agent_process("node-1") != agent && node_state("node-1") == "alive";
  }));
  EXPECT_TRUE(becomes(job, "running"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  auto lines = seen();
  EXPECT_EQ(lines.size(), static_cast<size_t>(tasks));
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), [](auto& x) { return lives(process_in(x)); }),
            tasks);
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(becomes(job, "killed"));
}

// Two workers that train; `keys` of the type, and options of the worker. Empty where there is no
// data.
std::string faults::training(const std::string& keys, const std::string& options) const {
  auto worker = fs::path{binary}.parent_path() / "fashion_mnist_worker";
  if (!fs::exists("/usr/share/datasets/fashion-mnist") || !fs::exists(worker)) {
    std::printf("SKIPPED: training under faults: no dataset-fashion-mnist\n");
    return {};
  }
  return write("train.yaml", "name: train\nattempts: 3\ntasks:\n  worker:\n    instances: 2\n"
                             "    cpus: 1\n"
                               + keys + "    command: [" + worker.string() + ", " + options
                               + "]\n");
}

TEST_F(faults, training_goes_on_from_its_checkpoint) {
  auto file = training("", "--epochs, \"1\", --checkpoint-every, \"50\"");
  if (file.empty())
    GTEST_SKIP();
  start_nodes(3, 1);
  auto job = submit(file);
  auto checkpoints = directory + "/jobs/" + job + "/checkpoints";
  ASSERT_TRUE(eventually([&] { return has_checkpoint(checkpoints); }));
  auto node = value_of(job_json(job), "node"); // of the chief, which writes them
  signal_node(node, SIGKILL);
  EXPECT_TRUE(eventually([&] { return value_of(job_json(job), "state") == "succeeded"; },
                         std::chrono::seconds(120)));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "2");
  auto log = troupe({"logs", job, "--task", "worker:0"}).out;
  EXPECT_NE(log.find("goes on from the checkpoint"), std::string::npos) << log;
}

// No checkpoint is due: what goes on is what was saved when the gang was stopped.
TEST_F(faults, a_gang_shrinks_with_a_lost_machine_and_grows_with_a_new_one) {
  auto file = training("    instances_min: 1\n", "--epochs, \"4\", --checkpoint-every, \"100000\"");
  if (file.empty())
    GTEST_SKIP();
  ASSERT_EQ(troupe({"up", "--nodes", "2", "--cpus", "1", "--grow-after", "1 s"}).code, 0);
  auto job = submit(file);
  auto workers = [&] {
    auto shown = job_json(job);
    auto last = shown.rfind("\"worker:");
    return last == std::string::npos ? "" : shown.substr(last + 1, 8);
  };
  auto goes_on_in = [&](const std::string& attempt) {
    return eventually([&] {
      auto log = troupe({"logs", job, "--task", "worker:0", "--attempt", attempt}).out;
      return log.find("goes on from the checkpoint") != std::string::npos;
    });
  };
  ASSERT_TRUE(becomes(job, "running"));
  ASSERT_TRUE(eventually([&] { return value_of(job_json(job), "epoch") == "{"; }));
  ASSERT_EQ(workers(), "worker:1");
  auto lost = value_of(job_json(job), "node") == "node-1" ? "node-2" : "node-1";
  signal_node(lost, SIGKILL); // that of worker:1; worker:0 has the parameters
  ASSERT_TRUE(goes_on_in("2")) << job_json(job);
  EXPECT_EQ(workers(), "worker:0");
  start_process("again", {"--dir", directory, "node", "--name", lost, "--cpus", "1"});
  ASSERT_TRUE(goes_on_in("3")) << job_json(job);
  EXPECT_EQ(workers(), "worker:1");
  auto why = troupe({"job", job, "--why"}).out;
  EXPECT_EQ(why.find("user_error"), std::string::npos) << why; // worker:0 only noticed
  EXPECT_NE(why.find("there is room for 2 tasks instead of 1"), std::string::npos) << why;
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(becomes(job, "killed"));
}

TEST_F(faults, of_jobs_that_could_each_hold_half_one_runs_whole) {
  start_nodes(2, 1);
  auto file = job_of("echo $TROUPE_JOB >> seen; sleep 0.3", 2, 1);
  std::vector<std::string> jobs;
  for (int i = 0; i < 4; ++i)
    jobs.push_back(submit(file));
  for (auto& job : jobs)
    ASSERT_TRUE(becomes(job, "succeeded"));
  std::vector<std::string> whole;
  for (auto& job : jobs)
    whole.insert(whole.end(), 2, job);
  EXPECT_EQ(seen(), whole);
}

TEST_F(faults, of_the_jobs_that_wait_the_more_important_starts_first) {
  start_nodes(1, 1);
  auto first = submit(job_of(waits_at_gate));
  ASSERT_TRUE(becomes(first, "running"));
  std::vector<std::string> jobs; // the last that is submitted is the first in the order
  for (auto& priority : {"low", "normal", "high"})
    jobs.insert(jobs.begin(),
                submit(write("next.yaml", std::string{"name: next\npriority: "} + priority
                                            + "\ntasks:\n  worker:\n    command: echo "
                                              "$TROUPE_JOB >> "
                                            + scratch + "/order\n")));
  ASSERT_TRUE(open_gate());
  std::string in_order;
  for (auto& job : jobs) {
    EXPECT_TRUE(becomes(job, "succeeded"));
    in_order.append(job).append("\n");
  }
  EXPECT_EQ(text_of(scratch + "/order"), in_order);
}

} // namespace troupe::e2e
