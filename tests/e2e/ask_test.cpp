// What is asked of running tasks: each of `troupe ask`, those who listen, those who do not, and bad
// questions; what a job file says of their checkpoints and logs.
#include "tests/e2e/cluster.hpp"

#include <algorithm>
#include <filesystem>

namespace troupe::e2e {
namespace {

class asked : public cluster {
protected:
  // Submits a job of one task that runs the shell script, and waits until the task has printed
  // "ready"; the script does that when it listens.
  std::string start(const std::string& script) {
    auto job = submit(job_of(script));
    EXPECT_TRUE(printed(job, "ready"));
    return job;
  }

  std::string output(const std::string& job) { return troupe({"logs", job}).out; }

  bool printed(const std::string& job, const std::string& text) {
    return eventually([&] { return output(job).find(text) != std::string::npos; });
  }

  void expect_runs(const std::string& job) {
    EXPECT_EQ(value_of(job_json(job), "state"), "running") << output(job);
  }

  // A command that is refused, in one line; what it said.
  std::string refused(const std::vector<std::string>& args) {
    auto out = troupe(args);
    EXPECT_EQ(out.code, 2) << out.out << out.err;
    EXPECT_EQ(std::count(out.err.begin(), out.err.end(), '\n'), 1) << out.err;
    return out.err;
  }
};

const std::string goes_on = "echo ready; while :; do sleep 0.02; done";

TEST_F(asked, a_python_task_prints_its_stacks_and_goes_on) {
  start_nodes(1, 2);
  auto program = write("listens.py", "import faulthandler, signal, sys, time\n"
                                     "faulthandler.register(signal.SIGUSR2, file=sys.stdout)\n"
                                     "def train_one_epoch():\n"
                                     "  print('ready', flush=True)\n"
                                     "  while True: time.sleep(0.02)\n"
                                     "train_one_epoch()\n");
  auto job = start("exec python3 " + program);
  EXPECT_EQ(troupe({"ask", job, "stacks"}).out, "asked 1 tasks\n");
  EXPECT_TRUE(printed(job, "in train_one_epoch")) << output(job);
  expect_runs(job);
}

TEST_F(asked, a_task_that_does_not_listen_is_described_and_goes_on) {
  start_nodes(1, 2);
  auto job = start(goes_on);
  EXPECT_EQ(troupe({"ask", job, "stacks", "--task", "worker:0", "--json"}).out, "{\"tasks\": 1}\n");
  EXPECT_TRUE(printed(job, "(sh)\n thread ")) << output(job);
  EXPECT_EQ(troupe({"ask", job, "checkpoint"}).code, 0);
  EXPECT_TRUE(printed(job, "[asked for: checkpoint, but no process of this task catches SIGUSR1]"));
  EXPECT_EQ(troupe({"ask", job, "drain"}).code, 0);
  EXPECT_TRUE(printed(job, "[asked for: drain, but no process of this task catches SIGTERM]"));
  expect_runs(job);
}

TEST_F(asked, a_drained_gang_ends_well_and_its_outputs_are_recorded) {
  start_nodes(1, 4);
  // One says so by its code, the other ends by itself: both save before.
  auto file
    = write("drained.yaml", "name: drained\noutputs: [model]\ntasks:\n  chief:\n"
                            "    command: |\n"
                            "      trap 'echo saved > $TROUPE_OUTPUT/model; exit 143' TERM\n"
                            "      "
                              + goes_on
                              + "\n"
                                "  worker:\n    instances: 2\n    command: |\n"
                                "      trap 'exit 0' TERM\n"
                                "      "
                              + goes_on + "\n");
  auto job = submit(file);
  for (auto* task : {"chief:0", "worker:0", "worker:1"})
    ASSERT_TRUE(eventually([&] {
      return troupe({"logs", job, "--task", task}).out == "ready\n";
    }))
      << task;
  EXPECT_EQ(troupe({"ask", job, "drain", "--task", "worker"}).out, "asked 2 tasks\n");
  EXPECT_TRUE(eventually([&] {
    auto shown = troupe({"job", job}).out;
    return shown.find("worker:0  succeeded") != std::string::npos
           && shown.find("worker:1  succeeded") != std::string::npos;
  }));
  expect_runs(job);
  EXPECT_EQ(troupe({"ask", job, "drain"}).out, "asked 1 tasks\n");
  EXPECT_TRUE(becomes(job, "succeeded")) << job_json(job);
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  EXPECT_NE(troupe({"lineage", "show", job}).out.find("model"), std::string::npos);
}

TEST_F(asked, a_drained_task_that_fails_is_a_failure_and_waits_where_it_is_held) {
  start_nodes(1, 2);
  auto job = start("trap 'exit 3' TERM; " + goes_on);
  EXPECT_EQ(troupe({"hold", job}).code, 0);
  EXPECT_EQ(troupe({"ask", job, "drain"}).code, 0);
  EXPECT_TRUE(becomes(job, "restarting"));
  EXPECT_NE(troupe({"job", job, "--why"}).out.find("exited with code 3"), std::string::npos);
}

TEST_F(asked, a_task_reads_the_log_level_that_it_was_asked_for) {
  start_nodes(1, 2);
  auto job = start("trap 'echo now $(cat $TROUPE_LOG_LEVEL_FILE)' HUP; " + goes_on);
  EXPECT_EQ(troupe({"ask", job, "log-level", "debug"}).out, "asked 1 tasks\n");
  EXPECT_TRUE(printed(job, "now debug\n"));
  EXPECT_EQ(troupe({"ask", job, "log-level", "error"}).code, 0);
  EXPECT_TRUE(printed(job, "now error\n"));
  // The executor, of which the node has the log, says no more than that either.
  auto log = directory + "/logs/node-1.out";
  EXPECT_NE(text_of(log).find("the task is asked for=log_level"), std::string::npos);
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(becomes(job, "killed"));
  EXPECT_EQ(text_of(log).find("stopping the task"), std::string::npos) << text_of(log);
}

TEST_F(asked, what_cannot_be_asked_is_refused) {
  start_nodes(1, 2);
  auto job = start(goes_on);
  EXPECT_NE(refused({"ask", job, "nap"}).find("give checkpoint, stacks, drain or log-level"),
            std::string::npos);
  EXPECT_NE(refused({"ask", job, "log-level"}).find("'' is no log level"), std::string::npos);
  EXPECT_NE(refused({"ask", job, "log-level", "loud"}).find("'loud' is no log level"),
            std::string::npos);
  EXPECT_NE(refused({"ask", job, "drain", "debug"}).find("leave it out"), std::string::npos);
  EXPECT_NE(refused({"ask", job, "drain", "--task", "ps:0"}).find("no such task that runs"),
            std::string::npos);
  EXPECT_NE(refused({"ask", job, "drain", "--task", "worker:x"}).find("is no task"),
            std::string::npos);
  EXPECT_NE(refused({"ask", "99", "drain"}).find("job 99"), std::string::npos);
  auto large = submit(write("large.yaml", "name: large\ntasks:\n  worker:\n    instances: 2\n"
                                          "    command: [/bin/true]\n"));
  EXPECT_TRUE(becomes(large, "queued"));
  EXPECT_NE(refused({"ask", large, "drain"}).find("no such task that runs"), std::string::npos);
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(becomes(job, "killed"));
  EXPECT_NE(refused({"ask", job, "drain"}).find("no such task that runs"), std::string::npos);
}

TEST_F(asked, a_job_names_its_checkpoints_its_tags_and_the_size_of_its_logs) {
  start_nodes(1, 2);
  auto lines = std::string{"checkpoints: saved\ntags: [nightly, 'of me']\ntasks:\n  worker:\n"
                           "    log_size: 1 KiB\n    command: |\n"
                           "      echo $TROUPE_JOB > $TROUPE_CHECKPOINTS/step; seq 1000\n"};
  auto file = write("named.yaml", "name: named\n" + lines);
  ASSERT_EQ(troupe({"submit", file, "--wait"}).code, 0);
  EXPECT_EQ(text_of(scratch + "/saved/step"), "1\n");
  auto log = output("1");
  EXPECT_EQ(log.find("[the log was cut here: it reached its limit of 1024 bytes]"), 1025u) << log;
  EXPECT_NE(troupe({"job", "1"}).out.find("  tags: nightly, of me\n"), std::string::npos);
  ASSERT_EQ(troupe({"submit", write("array.yaml", "name: sweep\narray: 2\n" + lines)}).code, 0);
  EXPECT_TRUE(becomes("2", "succeeded") && becomes("3", "succeeded"));
  EXPECT_EQ(text_of(scratch + "/saved/0/step"), "2\n");
  EXPECT_EQ(text_of(scratch + "/saved/1/step"), "3\n");
  ASSERT_EQ(troupe({"submit", job_of("exit 0"), "--wait"}).code, 0);
  auto found = troupe({"jobs", "--tag", "of me"}).out;
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 3) << found;
  EXPECT_EQ(troupe({"jobs", "--tag", "of"}).out, "no jobs\n");
}

} // namespace
} // namespace troupe::e2e
