// A cluster of machines on which nothing is installed: a real ssh server, a network and a root
// directory for each.
#include "launcher/run_command.hpp"
#include "tests/e2e/cluster.hpp"
#include "tests/support/ssh_hosts.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

namespace troupe::e2e {

namespace fs = std::filesystem;

class by_ssh : public cluster {
protected:
  void SetUp() override {
    if (auto why = ssh_hosts::missing(); !why.empty()) {
      std::printf("SKIPPED: a cluster by ssh: %s\n", why.c_str());
      GTEST_SKIP();
    }
    cluster::SetUp();
    path_ = std::getenv("PATH");
    machines = std::make_unique<ssh_hosts>(scratch + "/machines");
    auto started = machines->start(2);
    if (!started && started.error().code == errc::refused) {
      std::printf("SKIPPED: a cluster by ssh: %s\n", started.error().text.c_str());
      GTEST_SKIP();
    }
    ASSERT_TRUE(started) << started.error().text;
  }

  void TearDown() override {
    if (!machines)
      return;
    if (fs::exists(directory + "/hosts")) {
      EXPECT_EQ(troupe({"down"}).code, 0);
    }
    machines.reset();
    ::setenv("PATH", path_.c_str(), 1);
    cluster::TearDown();
  }

  outcome up(const std::string& hosts) const {
    return troupe({"up", "--hosts", write("hosts", hosts)});
  }

  // On one cpu of each machine, which has nothing of this one's files.
  std::string job_on_each(const std::string& script, int instances) const {
    return write("job.yaml", "name: probe\nattempts: 3\ndirectory: /\ntasks:\n  worker:\n"
                             "    instances: "
                               + std::to_string(instances)
                               + "\n    cpus: 1\n    memory: 16 MiB\n    command: [/bin/sh, -c, '"
                               + script + "']\n");
  }

  void expect_a_task_to_move(const std::function<result<void>(int host, bool)>& connected);

  bool is_clean(int host) const {
    return machines->processes(host).empty()
           && !fs::exists(machines->home(host) + "/.cache/troupe");
  }

  std::unique_ptr<ssh_hosts> machines;

private:
  std::string path_;
};

TEST_F(by_ssh, a_job_runs_on_bare_machines_and_nothing_is_left_there) {
  auto started
    = up("bare-1 cpus=1 memory=64MiB\nroot@bare-2 name=two cpus=1\nbare-2 name=three cpus=1\n");
  ASSERT_EQ(started.code, 0) << started.err;
  EXPECT_NE(started.out.find("cluster of 3 nodes"), std::string::npos) << started.out;
  auto ran = troupe({"submit", job_on_each("echo rank $TROUPE_RANK on $(hostname)", 3), "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto logs = troupe({"logs", "1"}).out;
  EXPECT_NE(logs.find("on bare-1"), std::string::npos) << logs;
  EXPECT_NE(logs.find("on bare-2"), std::string::npos) << logs;
  auto home = machines->home(2) + "/.cache/troupe/";
  int bundles = 0;
  for (auto& each : fs::directory_iterator{home}) {
    bundles += each.path().filename().string().starts_with("bundle-");
    auto secret = each.path() / "keys/two.secret";
    if (fs::exists(secret)) {
      EXPECT_EQ(fs::status(secret).permissions(), fs::perms{0600});
    }
  }
  auto command
    = launcher::run_command({"ssh", "bare-2", "$HOME/.cache/troupe/bundle-*/bin/troupe --version"});
  ASSERT_TRUE(command) << command.error().text;
  EXPECT_EQ(command->code, 0) << command->err;
  EXPECT_EQ(bundles, 1);                        // for two nodes,
  EXPECT_GE(machines->processes(2).size(), 4u); // of which each has a supervisor and an agent
  auto down = troupe({"down"});
  EXPECT_EQ(down.code, 0) << down.err;
  EXPECT_TRUE(is_clean(1));
  EXPECT_TRUE(is_clean(2));
}

TEST_F(by_ssh, with_one_dead_host_nothing_is_started) {
  machines->kill(2);
  auto started = up("bare-1\nbare-2\n");
  EXPECT_EQ(started.code, 3);
  EXPECT_NE(started.err.find("host bare-2 cannot be reached by ssh"), std::string::npos)
    << started.err;
  EXPECT_EQ(std::count(started.err.begin(), started.err.end(), '\n'), 1) << started.err;
  EXPECT_TRUE(is_clean(1));
  EXPECT_EQ(troupe({"status"}).code, 3);
  EXPECT_EQ(up("bare-1 cups=3\n").code, 2);
}

TEST_F(by_ssh, the_task_of_a_machine_that_dies_runs_on_another_and_down_names_the_dead) {
  auto started = up("bare-1 cpus=1\nbare-2 cpus=1\n");
  ASSERT_EQ(started.code, 0) << started.err;
  auto job = submit(job_on_each("[ $TROUPE_ATTEMPT -ge 2 ] || exec sleep 1000", 1));
  ASSERT_TRUE(becomes(job, "running"));
  auto node = value_of(job_json(job), "node");
  auto host = node == "bare-1" ? 1 : 2;
  machines->kill(host);
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_NE(value_of(job_json(job), "node"), node);
  auto down = troupe({"down"});
  EXPECT_EQ(down.code, 3);
  EXPECT_NE(down.err.find("host " + node + " cannot be reached"), std::string::npos) << down.err;
  EXPECT_TRUE(is_clean(3 - host));
  ASSERT_TRUE(machines->boot(host));
  EXPECT_EQ(troupe({"down"}).code, 0);
  EXPECT_TRUE(is_clean(host));
}

TEST_F(by_ssh, a_machine_that_is_back_and_a_new_one_join_while_the_others_go_on) {
  ASSERT_EQ(up("bare-1 cpus=1\n").code, 0);
  auto job = submit(job_on_each("exec sleep 1000", 1));
  ASSERT_TRUE(becomes(job, "running"));
  auto added = up("bare-1 cpus=1\nbare-2 cpus=1\n");
  ASSERT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(node_state("bare-2"), "alive");
  machines->kill(2);
  EXPECT_TRUE(eventually([&] { return node_state("bare-2") == "lost"; }));
  auto refused = up("bare-1 cpus=1\nbare-2 cpus=1\n");
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find("host bare-2 cannot be reached"), std::string::npos) << refused.err;
  ASSERT_TRUE(machines->boot(2));
  // The head too: its machine is started again, and its nodes have waited for it.
  auto master = master_process();
  for (auto process : {parent_of(master), master})
    ASSERT_EQ(::kill(process, SIGKILL), 0);
  auto again = up("bare-1 cpus=1\nbare-2 cpus=1\n");
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(node_state("bare-2"), "alive");
  EXPECT_EQ(value_of(job_json(job), "state"), "running");
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  EXPECT_EQ(troupe({"down"}).code, 0);
  EXPECT_TRUE(is_clean(1));
  EXPECT_TRUE(is_clean(2));
}

// `connected`: joins the machine, or cuts it off.
void by_ssh::expect_a_task_to_move(const std::function<result<void>(int host, bool)>& connected) {
  auto started = up("bare-1 cpus=1\nbare-2 cpus=1\n");
  ASSERT_EQ(started.code, 0) << started.err;
  auto job = submit(job_on_each("exec sleep 100$TROUPE_ATTEMPT", 1));
  ASSERT_TRUE(becomes(job, "running"));
  auto node = value_of(job_json(job), "node");
  auto host = node == "bare-1" ? 1 : 2;
  auto runs = [&](int where, const std::string& command) {
    auto all = machines->processes(where);
    return std::find(all.begin(), all.end(), command) != all.end();
  };
  ASSERT_TRUE(connected(host, false));
  EXPECT_TRUE(eventually([&] { return runs(3 - host, "sleep 1002 "); }));
  EXPECT_TRUE(runs(host, "sleep 1001 ")); // it cannot know
  EXPECT_EQ(node_state(node), "lost");
  ASSERT_TRUE(connected(host, true));
  EXPECT_TRUE(eventually([&] { return !runs(host, "sleep 1001 "); }));
  EXPECT_TRUE(eventually([&] { return node_state(node) == "alive"; }));
  EXPECT_TRUE(runs(3 - host, "sleep 1002 "));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "2");
}

TEST_F(by_ssh, a_machine_that_was_cut_off_is_told_that_its_task_has_moved) {
  expect_a_task_to_move([&](int host, bool is) { return machines->plug(host, is); });
}

TEST_F(by_ssh, a_machine_that_hears_and_is_not_heard_is_cut_off) {
  expect_a_task_to_move([&](int host, bool is) { return machines->let_speak(host, is); });
}

} // namespace troupe::e2e
