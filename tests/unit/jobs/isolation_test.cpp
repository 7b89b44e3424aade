// What keeps a task to what it was given: control groups, descendants that flee, other users.
#include "actors/jobs/control_group.hpp"
#include "actors/jobs/process_list.hpp"
#include "actors/jobs/task_process.hpp"
#include "actors/jobs/task_user.hpp"
#include "tests/support/scratch_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

namespace troupe {
namespace {

namespace fs = std::filesystem;

std::string content_of(const std::string& path) {
  std::ifstream in{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

class Isolation : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(guard);
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  }

  task_command shell(const std::string& script) {
    task_command out;
    out.command = {"sh", "-c", script};
    out.environment = {{"PATH", "/usr/bin:/bin"}};
    out.directory = scratch.path;
    out.log_file = scratch.path + "/task.log";
    return out;
  }

  task_exit run(const task_command& what) {
    auto out = process.run(what, [](int) {});
    EXPECT_TRUE(out) << out.error().text;
    return out ? *out : task_exit{};
  }

  pid_t number_in_log() const { return std::stoi("0" + content_of(scratch.path + "/task.log")); }

  scratch_directory scratch;
  system_clock time;
  result<task_guard> guard = task_guard::start(); // before this process has threads
  task_process process{time, *guard};
};

TEST_F(Isolation, ATaskThatTakesTooMuchMemoryIsKilledAndSaysSo) {
  if (!has_control_groups())
    GTEST_SKIP() << "no control groups that may be written here";
  auto what = shell("head -c 400000000 /dev/zero | tail");
  what.memory = 32 << 20;
  auto out = run(what);
  EXPECT_NE(out.code, 0);
  EXPECT_TRUE(out.out_of_memory);
  EXPECT_NE(out.reason.find("more than its 32 MiB"), std::string::npos) << out.reason;
}

TEST_F(Isolation, ATaskWithinItsMemoryFailsForItself) {
  auto what = shell("exit 9");
  what.memory = 64 << 20;
  auto out = run(what);
  EXPECT_EQ(out.code, 9);
  EXPECT_FALSE(out.out_of_memory);
}

TEST_F(Isolation, AForkBombInItsGroupGetsNoMoreProcessesThanItMay) {
  if (!has_control_groups())
    GTEST_SKIP() << "no control groups that may be written here";
  auto what = shell("exec perl -e 'while (1) { defined(fork) or syswrite(STDOUT, qq(full\\n)) }'");
  what.memory = 256 << 20;
  what.processes = 50;
  what.log_bytes_max = 1000;
  std::atomic<pid_t> command = 0;
  std::thread stopper{[&] {
    while (content_of(what.log_file).find("full") == std::string::npos)
      std::this_thread::yield();
    EXPECT_LE(tree_of(command).size(), what.processes);
    process.stop(duration{});
  }};
  auto out = process.run(what, [&](pid_t id) { command = id; });
  stopper.join();
  ASSERT_TRUE(out) << out.error().text;
  EXPECT_TRUE(out->stopped);
  EXPECT_EQ(::kill(-command, 0), -1); // nobody of it is left
}

TEST_F(Isolation, ATaskWithoutAGroupThatHasTooManyProcessesIsKilled) {
  auto what = shell("for each in $(seq 40); do sleep 1000 & done; setsid sleep 1000 & wait");
  what.processes = 30;
  auto out = run(what);
  EXPECT_EQ(out.code, 128 + SIGKILL);
  EXPECT_EQ(out.reason, "the command had more than 30 processes and was killed; start fewer");
}

TEST_F(Isolation, ATaskThatRunsForAWhileIsInAGroupWithAllItsProcesses) {
  if (!has_control_groups())
    GTEST_SKIP() << "no control groups that may be written here";
  auto what = shell("(setsid sh -c 'echo $$ > fled; exec sleep 1000' &)\n"
                    "until grep -q /troupe-task- /proc/self/cgroup; do :; done\n"
                    "cmp /proc/$(cat fled)/cgroup /proc/self/cgroup");
  EXPECT_EQ(run(what).code, 0) << content_of(what.log_file);
}

TEST_F(Isolation, AMachineThatRunsOutOfMemoryEndsATaskBeforeItsExecutor) {
  EXPECT_EQ(run(shell("cat /proc/self/oom_score_adj")).code, 0);
  EXPECT_GE(std::stoi(content_of(scratch.path + "/task.log")), 500);
}

TEST_F(Isolation, WhereNoGroupCanBeMadeProcessesAreCountedByUser) {
  auto nobody = find_task_user("nobody");
  if (::getuid() != 0 || !nobody)
    GTEST_SKIP() << "only root may become another user";
  ASSERT_EQ(::chown(scratch.path.c_str(), nobody->id, nobody->group), 0);
  auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto what = shell("grep '^Max processes *77 *77 ' /proc/self/limits");
    what.processes = 77;
    auto out = nobody->become() && !has_control_groups()
                 ? process.run(what, [](int) {})
                 : result<task_exit>{task_exit{1, false, {}, false}};
    ::_exit(out && out->code == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << content_of(scratch.path + "/task.log");
}

TEST_F(Isolation, AProcessThatForksAwayEndsWithItsTask) {
  auto out = run(shell("setsid sh -c 'echo $$; exec sleep 1000' & "
                       "until [ -s task.log ]; do sleep 0.01; done"));
  EXPECT_EQ(out.code, 0);
  ASSERT_GT(number_in_log(), 0);
  EXPECT_EQ(::kill(number_in_log(), 0), -1);
}

TEST_F(Isolation, SoDoesOneWhoseParentsHaveGone) {
  auto out = run(shell("(setsid sh -c '(setsid sh -c \"echo \\$\\$; exec sleep 1000\" &)' &); "
                       "until [ -s task.log ]; do sleep 0.01; done"));
  EXPECT_EQ(out.code, 0);
  ASSERT_GT(number_in_log(), 0);
  EXPECT_EQ(::kill(number_in_log(), 0), -1);
}

TEST_F(Isolation, ATaskRunsAsAnotherUser) {
  if (::getuid() != 0)
    GTEST_SKIP() << "only root may become another user";
  auto what = shell("id -un; id -G");
  what.user = "nobody";
  what.directory = "/";
  EXPECT_EQ(run(what).code, 0);
  auto nobody = find_task_user("nobody");
  ASSERT_TRUE(nobody);
  EXPECT_EQ(content_of(scratch.path + "/task.log"),
            "nobody\n" + std::to_string(nobody->group) + "\n");
  EXPECT_EQ(::getuid(), 0u);
}

TEST_F(Isolation, AnotherUserRunsWhereItCouldGoOrInADirectoryOfItsOwn) {
  if (::getuid() != 0)
    GTEST_SKIP() << "only root may become another user";
  auto nobody = find_task_user("nobody");
  ASSERT_TRUE(nobody);
  auto what = shell("pwd");
  what.user = "nobody";
  what.directory = scratch.path + "/open"; // in a directory of root's that is closed
  ASSERT_EQ(::mkdir(what.directory.c_str(), 0755), 0);
  auto refused = process.run(what, [](int) {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("Permission denied"), std::string::npos)
    << refused.error().text;
  ASSERT_EQ(::chown(what.directory.c_str(), nobody->id, nobody->group), 0);
  EXPECT_EQ(run(what).code, 0);
}

TEST_F(Isolation, AnUnknownUserIsNamed) {
  auto what = shell("true");
  what.user = "no-such-user";
  auto out = process.run(what, [](int) {});
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().text, "there is no user 'no-such-user' on this node: create it, or choose "
                              "another with --task-user");
}

// A machine of version 2, as files: what would be written, and where.
class Version2 : public ::testing::Test {
protected:
  Version2() {
    for (auto& folder : {proc + "/self", proc + "/77", mine, slice + "/troupe-node"})
      fs::create_directories(folder);
    std::ofstream{proc + "/self/cgroup"} << "0::/slice/troupe-node\n";
    std::ofstream{proc + "/self/mountinfo"} << "30 20 0:26 / " << scratch.path
                                            << "/cg rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    enable("cpu memory pids");
  }

  void enable(const std::string& controllers) const {
    std::ofstream{slice + "/cgroup.subtree_control"} << controllers << "\n";
  }

  void have(const std::vector<std::string>& files) const {
    for (auto& file : files)
      std::ofstream{mine + "/" + file} << "";
  }

  scratch_directory scratch;
  const std::string proc = scratch.path + "/proc";
  const std::string slice = scratch.path + "/cg/slice";
  const std::string mine = slice + "/troupe-task-77";
};

TEST_F(Version2, IsGivenItsLimits) {
  have({"cgroup.procs", "memory.max", "memory.swap.max", "cpu.weight", "pids.max"});
  auto made = control_group::make(77, {1 << 20, 3, 100}, proc);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(content_of(mine + "/memory.max"), "1048576");
  EXPECT_EQ(content_of(mine + "/memory.swap.max"), "0");
  EXPECT_EQ(content_of(mine + "/cpu.weight"), "300");
  EXPECT_EQ(content_of(mine + "/pids.max"), "100");
  EXPECT_FALSE(made->ran_out_of_memory());
  std::ofstream{mine + "/memory.events"} << "low 0\noom 1\noom_kill 1\n";
  EXPECT_TRUE(made->ran_out_of_memory());
  EXPECT_TRUE(made->join());
  EXPECT_EQ(content_of(mine + "/cgroup.procs"), "0");
}

TEST_F(Version2, MayBeWithoutCpu) {
  enable("memory pids");
  have({"cgroup.procs", "memory.max", "pids.max"});
  auto made = control_group::make(77, {1 << 20, 3, 100}, proc);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(content_of(mine + "/memory.max"), "1048576");
  EXPECT_EQ(content_of(mine + "/pids.max"), "100");
  EXPECT_FALSE(fs::exists(mine + "/cpu.weight"));
}

TEST_F(Version2, IsNoneWithoutMemoryOrWithoutPids) {
  have({"cgroup.procs", "memory.max", "cpu.weight", "pids.max"});
  for (auto* each : {"", "cpu", "cpu memory", "cpu pids", "memory.swap pids"}) {
    enable(each);
    EXPECT_FALSE(has_control_groups(proc)) << each;
    EXPECT_FALSE(control_group::make(77, {0, 3, 100}, proc)) << each;
  }
  enable("memory pids");
  EXPECT_TRUE(has_control_groups(proc));
}

TEST(ControlGroup, AMachineWithoutThemSaysSo) {
  scratch_directory scratch;
  fs::create_directories(scratch.path + "/self");
  std::ofstream none{scratch.path + "/self/cgroup"};
  std::ofstream{scratch.path + "/self/mountinfo"} << "garbage\n- - -\n 1 2 - cgroup\n";
  auto made = control_group::make(1, {1 << 20}, scratch.path);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, errc::unavailable);
}

TEST(ControlGroup, OneThatWasLeftBehindIsClearedAway) {
  if (auto made = control_group::make(::getpid(), {64 << 20}); !made)
    GTEST_SKIP() << made.error().text;
  auto gone = ::fork();
  if (gone == 0)
    ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  auto left = control_group::make(gone, {64 << 20});
  ASSERT_TRUE(left);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  auto forgotten = ::fork(); // in the group of a maker that died
  if (forgotten == 0) {
    if (left->join())
      ::execl("/bin/sleep", "sleep", "1000", nullptr);
    ::_exit(1);
  }
  ::close(ends[1]);
  char none = 0;
  ASSERT_EQ(::read(ends[0], &none, 1), 0); // it has joined
  ::close(ends[0]);
  auto next = control_group::make(::getpid(), {64 << 20});
  ASSERT_TRUE(next);
  int status = 0;
  ASSERT_EQ(::waitpid(forgotten, &status, 0), forgotten);
  EXPECT_TRUE(WIFSIGNALED(status));
}

} // namespace
} // namespace troupe
