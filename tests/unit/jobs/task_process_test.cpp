#include "actors/jobs/task_process.hpp"
#include "tests/support/scratch_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

namespace troupe {
namespace {

using namespace std::chrono_literals;

class TaskProcess : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(guard);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    held_read = owned_fd{ends[0]};
    held_write = owned_fd{ends[1]};
  }

  task_command shell(const std::string& script) {
    task_command out;
    out.command = {"sh", "-c", script};
    out.environment = {{"PATH", "/usr/bin:/bin"}, {"HELD", std::to_string(held_write.get())}};
    out.directory = scratch.path;
    out.log_file = scratch.path + "/task.log";
    out.inherited = {held_write.get()};
    return out;
  }

  result<task_exit> run(const task_command& what) {
    return process.run(what, [this](int pid) { started = pid; });
  }

  // Does `what_follows` when the command has written a byte to the held pipe.
  result<task_exit> run_and_then(const task_command& what,
                                 const std::function<void()>& what_follows) {
    std::thread other{[&] {
      EXPECT_TRUE(a_byte_came());
      what_follows();
    }};
    auto out = run(what);
    other.join();
    return out;
  }

  // Whether every process that inherited the held pipe is gone.
  bool all_gone(duration limit = 20s) {
    held_write.close();
    pollfd seen{held_read.get(), POLLIN, 0};
    auto ms = static_cast<int>(limit / 1ms);
    char byte = 0;
    return ::poll(&seen, 1, ms) == 1 && ::read(held_read.get(), &byte, 1) == 0;
  }

  // Waits until a process of the group writes a byte to the held pipe.
  bool a_byte_came(duration limit = 20s) {
    pollfd seen{held_read.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&seen, 1, static_cast<int>(limit / 1ms)) == 1
           && ::read(held_read.get(), &byte, 1) == 1;
  }

  std::string log_text() {
    std::ifstream in{scratch.path + "/task.log"};
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }

  scratch_directory scratch;
  owned_fd held_read, held_write;
  system_clock time;
  result<task_guard> guard = task_guard::start(); // before this process has threads
  task_process process{time, *guard};
  int started = 0;
};

TEST_F(TaskProcess, TheExitCodeAndTheOutputAreKept) {
  auto out = run(shell("echo out; echo err >&2; pwd; exit 3"));
  ASSERT_TRUE(out) << out.error().text;
  EXPECT_EQ(out->code, 3);
  EXPECT_FALSE(out->stopped);
  EXPECT_NE(out->reason.find("exit code 3"), std::string::npos);
  EXPECT_EQ(log_text(), "out\nerr\n" + std::filesystem::canonical(scratch.path).string() + "\n");
  EXPECT_GT(started, 0);
}

TEST_F(TaskProcess, ASuccessHasNoReason) {
  auto out = run(shell("true"));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 0);
  EXPECT_EQ(out->reason, "");
}

TEST_F(TaskProcess, ASignalIsNamed) {
  auto out = run(shell("kill -9 $$"));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 137);
  EXPECT_NE(out->reason.find("signal 9"), std::string::npos);
}

TEST_F(TaskProcess, GrandchildrenEndWithTheCommand) {
  auto out = run(shell("(trap '' TERM HUP; while :; do sleep 100; done) & exit 0"));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 0);
  EXPECT_TRUE(all_gone());
}

TEST_F(TaskProcess, StopTerminatesAndACommandMayEndOrderly) {
  auto out = run_and_then(shell("trap 'exit 7' TERM; echo >&$HELD; while :; do sleep 0.01; done"),
                          [&] { process.stop(60s); });
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->stopped);
  EXPECT_EQ(out->code, 7);
}

TEST_F(TaskProcess, ACommandThatIgnoresTheStopIsKilledAfterItsGrace) {
  auto out = run_and_then(shell("trap '' TERM; echo >&$HELD; while :; do sleep 100; done"),
                          [&] { process.stop(50ms); });
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->stopped);
  EXPECT_EQ(out->code, 137);
  EXPECT_TRUE(all_gone());
}

TEST_F(TaskProcess, AStopBeforeTheStartPreventsIt) {
  process.stop(1s);
  auto out = run(shell("echo ran"));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, errc::aborted);
  EXPECT_EQ(log_text(), "");
}

TEST_F(TaskProcess, AMissingProgramOrDirectoryIsNamed) {
  auto what = shell("");
  what.command = {"no-such-program-here"};
  auto out = run(what);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, errc::not_found);
  EXPECT_NE(out.error().text.find("'no-such-program-here'"), std::string::npos);
  what.command = {"./absent"};
  EXPECT_EQ(run(what).error().code, errc::not_found);
  auto elsewhere = shell("true");
  elsewhere.directory = "/no/such/directory";
  auto refused = run(elsewhere);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::not_found);
  EXPECT_NE(refused.error().text.find("/no/such/directory"), std::string::npos);
}

TEST_F(TaskProcess, AFileThatIsNoProgramIsAnError) {
  auto path = scratch.path + "/garbage";
  std::ofstream{path} << "\x7f not a program";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  auto what = shell("");
  what.command = {path};
  auto out = run(what);
  ASSERT_FALSE(out);
  EXPECT_NE(out.error().text.find("cannot be executed"), std::string::npos);
  EXPECT_EQ(started, 0);
}

TEST_F(TaskProcess, TheNewestMetricOfEachNameIsKeptAndGarbageIgnored) {
  auto out = run(shell("m() { printf \"$1\" >&$TROUPE_METRICS_FD; }; m 'metric loss 0.5 1\\n';"
                       "m 'metric loss 0.25 2\\nmetric acc'; m 'uracy 0.9 2\\n';"
                       "m 'metric\\nmetric  \\nmetric a b c\\nmetric x 1\\nmetric x 1 -1\\n';"
                       "m 'metric y 1 2 3\\nnoise\\n\\nmetric z 1e400 1\\n';"
                       "m 'metric long'; head -c 5000 /dev/zero | tr '\\0' l >&$TROUPE_METRICS_FD;"
                       "m ' 1 1\\nmetric last nan 4\\nmetric cut 1 1'"));
  ASSERT_TRUE(out);
  auto seen = process.metrics();
  std::erase_if(seen, [](auto& each) { return each.first.starts_with("system/"); });
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen["loss"].value, 0.25);
  EXPECT_EQ(seen["loss"].step, 2u);
  EXPECT_EQ(seen["accuracy"].value, 0.9);
  EXPECT_EQ(seen["last"].step, 4u);
}

TEST_F(TaskProcess, ALogAtItsLimitIsCutWithALine) {
  auto what = shell("head -c 300000 /dev/zero | tr '\\0' x");
  what.log_bytes_max = 1000;
  auto out = run(what);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 0);
  auto text = log_text();
  EXPECT_TRUE(text.starts_with(std::string(1000, 'x') + "\n[the log was cut here"));
  EXPECT_LT(text.size(), 1200u);
}

TEST_F(TaskProcess, OutputIsAppendedToAnEarlierLog) {
  std::ofstream{scratch.path + "/task.log"} << "before\n";
  ASSERT_TRUE(run(shell("echo after")));
  EXPECT_EQ(log_text(), "before\nafter\n");
}

TEST_F(TaskProcess, MemoryIsLimitedByAGroupOrElseByItsData) {
  auto what = shell("ulimit -d; cat /proc/self/cgroup");
  what.memory = 512 << 20;
  auto out = run(what);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 0);
  auto by_data = log_text().starts_with(std::to_string(512 << 10) + "\n");
  auto by_group = log_text().find("/troupe-task-") != std::string::npos;
  EXPECT_NE(by_data, by_group) << log_text();
}

TEST_F(TaskProcess, OnlyListedDescriptorsAreInherited) {
  auto out = run(shell("ls /proc/self/fd | wc -l"));
  ASSERT_TRUE(out);
  // Input, output, error, the held pipe, the metrics pipe, and the folder that ls reads.
  EXPECT_EQ(log_text(), "6\n");
}

// What kill -9 of an executor does: nothing of the group may survive, grandchildren included.
TEST_F(TaskProcess, TheGroupDiesWithTheProcessThatStartedIt) {
  auto what = shell("(trap '' TERM HUP; echo >&$HELD; while :; do sleep 100; done) & wait");
  auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    held_read.close();
    task_process own{time, *guard};
    auto ended = own.run(what, [](int) {});
    ::_exit(ended ? 0 : 1);
  }
  EXPECT_TRUE(a_byte_came());
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(all_gone());
}

TEST(TaskGuard, EndsWhenNobodyIsLeftWhoCouldWatch) {
  auto guard = task_guard::start();
  ASSERT_TRUE(guard);
  auto process = guard->process();
  guard = error{errc::aborted, ""};
  int status = -1;
  EXPECT_EQ(::waitpid(process, &status, 0), process);
  EXPECT_EQ(status, 0);
}

TEST(TaskGuard, LeavesAGroupAloneThatItsOwnerForgot) {
  auto guard = task_guard::start();
  ASSERT_TRUE(guard);
  auto waits = [] {
    auto process = ::fork();
    if (process == 0) {
      ::setpgid(0, 0);
      for (;;)
        ::pause();
    }
    ::setpgid(process, process);
    return process;
  };
  auto process = guard->process();
  auto forgotten = waits(), watched = waits(), owner = waits();
  ASSERT_GT(std::min({forgotten, watched, owner}), 0);
  owned_fd alive{static_cast<int>(::syscall(SYS_pidfd_open, owner, 0))};
  EXPECT_TRUE(guard->watch(forgotten, alive.get()));
  EXPECT_TRUE(guard->watch(watched, alive.get()));
  EXPECT_TRUE(guard->forget(forgotten));
  ::kill(owner, SIGKILL);
  guard = error{errc::aborted, ""};
  int status = 0;
  EXPECT_EQ(::waitpid(watched, &status, 0), watched);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(::waitpid(owner, nullptr, 0), owner);
  EXPECT_EQ(::waitpid(forgotten, nullptr, WNOHANG), 0);
  ::kill(forgotten, SIGKILL);
  ::waitpid(forgotten, nullptr, 0);
  EXPECT_EQ(::waitpid(process, nullptr, 0), process) << "it ends with its last group";
}

TEST_F(TaskProcess, ACheckpointIsAskedOfThoseWhoListen) {
  // The child would die of a signal that it does not catch.
  auto out
    = run_and_then(shell("sleep 100 & trap 'echo saved; kill -0 $! && exit 5' USR1; echo >&$HELD; "
                         "while :; do sleep 0.01; done"),
                   [&] { process.request(task_request::checkpoint); });
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 5);
  EXPECT_EQ(log_text(), "saved\n");
}

TEST_F(TaskProcess, WhoIsAskedToEndMayTakeItsTimeAndHasEndedWellByThatSignalToo) {
  auto out = run_and_then(shell("trap 'echo saved; echo >&$HELD; exit 143' TERM; echo >&$HELD; "
                                "while :; do sleep 0.01; done"),
                          [&] {
                            process.request(task_request::drain);
                            EXPECT_TRUE(a_byte_came());
                          });
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 0);
  EXPECT_EQ(out->reason, "");
  EXPECT_FALSE(out->stopped);
  EXPECT_EQ(log_text(), "saved\n");
}

TEST_F(TaskProcess, WhoIsAskedToEndAndFailsHasFailed) {
  auto out = run_and_then(shell("trap 'exit 3' TERM; echo >&$HELD; while :; do sleep 0.01; done"),
                          [&] { process.request(task_request::drain); });
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 3);
}

TEST_F(TaskProcess, WhoCannotBeAskedToEndGoesOn) {
  auto out
    = run_and_then(shell("echo >&$HELD; until grep -q 'drain, but no process of this task catches "
                         "SIGTERM' task.log; do sleep 0.01; done; exit 143"),
                   [&] {
                     process.request(task_request::drain);
                     process.request(static_cast<task_request>(200)); // of a later version
                   });
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 143);
}

TEST_F(TaskProcess, TheLogLevelIsInAFileWhenTheSignalComes) {
  auto out = run_and_then(shell("trap 'grep -x debug task.level && exit 5' HUP; echo >&$HELD; "
                                "while :; do sleep 0.01; done"),
                          [&] {
                            process.request(task_request::log_level, log_level::warning);
                            process.request(task_request::log_level, log_level::debug);
                          });
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 5);
  EXPECT_EQ(log_text(), "debug\n");
}

TEST_F(TaskProcess, ALinkInThePlaceOfTheLevelsFileIsNotFollowed) {
  std::ofstream{scratch.path + "/other"} << "kept";
  std::filesystem::create_symlink("other", log_level_file(scratch.path + "/task.log"));
  auto out = run_and_then(
    shell("trap 'cat other; exit 5' HUP; echo >&$HELD; while :; do sleep 0.01; done"),
    [&] { process.request(task_request::log_level, log_level::debug); });
  ASSERT_TRUE(out);
  EXPECT_EQ(log_text(), "kept");
}

TEST_F(TaskProcess, StacksOfThoseWhoDoNotListenAreTakenFromTheKernel) {
  auto out = run_and_then(
    shell("echo >&$HELD; until grep -q thread task.log; do sleep 0.01; done; exit 5"),
    [&] { process.request(task_request::dump_stacks); });
  ASSERT_TRUE(out);
  EXPECT_EQ(out->code, 5);
  EXPECT_NE(log_text().find("(sh)\n thread " + std::to_string(started)), std::string::npos)
    << log_text();
}

} // namespace
} // namespace troupe
