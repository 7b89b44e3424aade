// A machine dies, with all that runs on it, in each part of an attempt's life: the gang runs
// elsewhere, or ends as it was told to; nothing of an attempt runs beside the next one.
#include "tests/e2e/parsed.hpp"

#include <csignal>
#include <filesystem>
#include <map>

namespace troupe::e2e {

class a_machine_dies : public cluster {
protected:
  // Three nodes of one cpu each, whose fork servers have been started.
  void start() {
    start_nodes(3, 1);
    ASSERT_TRUE(becomes(submit(job_of("true", 3)), "succeeded"));
    for (auto* node : {"node-1", "node-2", "node-3"}) {
      servers_[node] = fork_server_of(node);
      ASSERT_GT(servers_[node], 1) << node;
    }
  }

  // Until it goes on, no executor starts there.
  void hold_back(const std::string& node) { ASSERT_EQ(::kill(servers_[node], SIGSTOP), 0); }
  void let_go(const std::string& node) { ASSERT_EQ(::kill(servers_[node], SIGCONT), 0); }

  // The nodes of the job's tasks, by their ranks; empty: not all are placed.
  std::vector<std::string> placed(const std::string& job, size_t tasks) const {
    std::vector<std::string> out;
    auto now = parsed(troupe({"job", job, "--json"}));
    for (auto& task : now["tasks"])
      if (task["node"] != "")
        out.push_back(task["node"]);
    return out.size() == tasks ? out : std::vector<std::string>{};
  }

  // A gang of two that is placed and cannot start; the nodes.
  std::vector<std::string> held_gang(std::string& job) {
    for (auto& [node, server] : servers_)
      hold_back(node);
    job = submit(job_of(first_leaves_others + "sleep 0.2", 2));
    std::vector<std::string> nodes;
    EXPECT_TRUE(eventually([&] { return (nodes = placed(job, 2)).size() == 2; }));
    return nodes;
  }

  void wait_registered(const std::string& job) {
    ASSERT_TRUE(eventually(
      [&] { return job_json(job).find("\"state\": \"registered\"") != std::string::npos; }))
      << job_json(job);
  }

  // The others go on when the gang knows, or has been placed anew: until then it could become
  // complete.
  void dies(const std::string& job, const std::string& node) {
    signal_node(node, SIGKILL);
    ASSERT_TRUE(eventually([&] {
      auto now = job_json(job);
      return now.find("\"state\": \"lost\"") != std::string::npos
             || now.find("\"cause\": \"lost_node\"") != std::string::npos;
    }))
      << job_json(job);
    servers_.erase(node);
    for (auto& [other, server] : servers_)
      let_go(other);
  }

  // Its first attempt ended with the machine, before a command ran; its second one ran whole.
  void expect_elsewhere(const std::string& job, const std::string& dead) {
    ASSERT_TRUE(becomes(job, "succeeded"));
    auto attempts = parsed(troupe({"job", job, "--attempts", "--json"}));
    ASSERT_EQ(attempts.size(), 2u) << attempts;
    for (auto& task : attempts[1]["tasks"])
      EXPECT_NE(task["node"], dead);
    auto ends = parsed(troupe({"job", job, "--json"}))["attempts"];
    ASSERT_EQ(ends.size(), 1u) << ends;
    EXPECT_EQ(ends[0]["cause"], "lost_node") << ends;
    EXPECT_EQ(node_state(dead), "lost");
    ASSERT_EQ(seen().size(), 2u) << text_of(scratch + "/seen") << attempts;
    for (auto& line : seen())
      EXPECT_TRUE(line.starts_with("2 ")) << line;
  }

  // The first task of a placed gang has registered, or none; then the machine of one dies.
  void expect_the_gang_elsewhere(bool first_registers, size_t dying) {
    start();
    std::string job;
    auto nodes = held_gang(job);
    ASSERT_EQ(nodes.size(), 2u);
    if (first_registers) {
      let_go(nodes[0]);
      wait_registered(job);
    }
    dies(job, nodes[dying]);
    expect_elsewhere(job, nodes[dying]);
  }

  // Says which attempt it is; and if a task of an earlier one is still there.
  static const std::string first_leaves_others;

private:
  std::map<std::string, int> servers_;
};

const std::string a_machine_dies::first_leaves_others
  = "[ -e seen ] && while read attempt rank process; do\n"
    "  [ $attempt != $TROUPE_ATTEMPT ] && grep -qs . /proc/$process/cmdline && echo $process >> "
    "overlap\n"
    "done < seen\n"
    "echo $TROUPE_ATTEMPT $TROUPE_RANK $$ >> seen\n";

TEST_F(a_machine_dies, when_the_gang_is_placed_and_nothing_has_started) {
  expect_the_gang_elsewhere(false, 0);
}

TEST_F(a_machine_dies, before_its_task_has_registered_and_the_other_one_has) {
  expect_the_gang_elsewhere(true, 1);
}

TEST_F(a_machine_dies, after_its_task_has_registered_and_the_other_one_has_not) {
  expect_the_gang_elsewhere(true, 0);
}

// The first attempt's tasks say that they were told to stop, and do not.
TEST_F(a_machine_dies, in_the_grace_period_of_a_gang_that_is_killed_or_moved) {
  start();
  auto stubborn = first_leaves_others
                  + "[ $TROUPE_ATTEMPT = 1 ] || exit 0\ntrap 'echo told >> told' TERM\n"
                    "while :; do sleep 0.02; done";
  auto program = write("stubborn.sh", "cd " + scratch + "\n" + stubborn + "\n");
  auto file = write("stubborn.yaml", "name: stubborn\nattempts: 1\ngrace_period: 3 s\ntasks:\n"
                                     "  worker:\n    instances: 2\n    command: [/bin/sh, "
                                       + program + "]\n");
  auto told = [&](const std::string& command, const std::string& job) {
    std::filesystem::remove(scratch + "/told");
    EXPECT_EQ(troupe({command, job}).code, 0);
    EXPECT_TRUE(eventually([&] { return text_of(scratch + "/told") == "told\ntold\n"; }));
  };
  auto moved = submit(file);
  ASSERT_TRUE(eventually([&] { return seen().size() == 2; }));
  auto dead = placed(moved, 2).at(0);
  told("requeue", moved);
  signal_node(dead, SIGKILL);
  ASSERT_TRUE(becomes(moved, "succeeded")); // it was moved, and not charged for the machine
  auto now = parsed(troupe({"job", moved, "--json"}));
  EXPECT_EQ(now["attempt"], 2) << now;
  EXPECT_EQ(now["attempts"][0]["cause"], "preempted") << now;
  ASSERT_EQ(seen().size(), 4u);
  EXPECT_EQ(text_of(scratch + "/overlap"), "");
  start_process("again", {"--dir", directory, "node", "--name", dead, "--cpus", "1"});
  ASSERT_TRUE(eventually([&] { return node_state(dead) == "alive"; }));
  auto killed = submit(file);
  ASSERT_TRUE(eventually([&] { return seen().size() == 6; }));
  auto nodes = placed(killed, 2);
  dead = nodes.at(nodes.at(0) == dead ? 1 : 0); // signal_node knows the nodes of `up`
  told("kill", killed);
  signal_node(dead, SIGKILL);
  ASSERT_TRUE(becomes(killed, "killed"));
  EXPECT_EQ(value_of(job_json(killed), "attempt"), "1");
  EXPECT_EQ(seen().size(), 6u);
  for (auto& line : seen())
    EXPECT_FALSE(lives(process_in(line))) << line;
}

} // namespace troupe::e2e
