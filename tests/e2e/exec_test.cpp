// Commands beside a running task.
#include "tests/e2e/cluster.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace troupe::e2e {
namespace {

class exec : public cluster {
protected:
  // A job whose one task waits at the gate, with a variable and a directory of its own.
  std::string waiting_task() {
    start_nodes(1, 2);
    std::filesystem::create_directory(scratch + "/place");
    auto file = write("job.yaml", "name: seen\ndirectory: " + scratch
                                    + "/place\ntasks:\n  worker:\n    cpus: 1\n    env: {COLOUR: "
                                      "green}\n    command: [sh, -c, 'echo $$ > pid; cat "
                                    + scratch + "/gate']\n");
    auto job = submit(file);
    EXPECT_TRUE(becomes(job, "running"));
    EXPECT_TRUE(eventually([&] { return !text_of(scratch + "/place/pid").empty(); }));
    // It can be entered when its executor has said which process it is.
    EXPECT_TRUE(eventually([&] { return troupe({"exec", job, "--", "true"}).code == 0; }));
    return job;
  }

  outcome shell(const std::string& job, const std::string& script) const {
    return troupe({"exec", job, "--task", "worker:0", "--", "sh", "-c", script});
  }
};

TEST_F(exec, is_as_the_task_is) {
  auto job = waiting_task();
  auto got = shell(job, "echo $COLOUR $TROUPE_TASK_TYPE; pwd; echo aside >&2; exit 3");
  EXPECT_EQ(got.code, 3);
  EXPECT_EQ(got.out, "green worker\n" + scratch + "/place\n");
  EXPECT_EQ(got.err, "aside\n");
}

TEST_F(exec, carries_input_and_much_output) {
  auto job = waiting_task();
  std::ofstream{scratch + "/in"} << std::string(3'000'000, 'x');
  auto got
    = troupe({"exec", job, "--", "sh", "-c", "wc -c; head -c 5000000 /dev/zero | tr '\\0' y"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_EQ(got.out.substr(0, 2), "0\n"); // the test's commands have no input
  EXPECT_EQ(got.out.size(), 5'000'002u);
  auto fed = ::system((std::string{"cat "} + scratch + "/in | '" + binary + "' --dir " + directory
                       + " exec " + job + " -- wc -c > " + scratch + "/counted")
                        .c_str());
  EXPECT_EQ(fed, 0);
  EXPECT_EQ(text_of(scratch + "/counted"), "3000000\n");
}

TEST_F(exec, ends_with_its_task) {
  auto job = waiting_task();
  auto beside = start_process("beside", {"--dir", directory, "exec", job, "--", "sh", "-c",
                                         "echo $$ > pid2; exec cat /dev/zero > /dev/null"});
  ASSERT_TRUE(eventually([&] { return !text_of(scratch + "/place/pid2").empty(); }));
  auto process = std::stoi(text_of(scratch + "/place/pid2"));
  ASSERT_TRUE(lives(process));
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  EXPECT_TRUE(eventually([&] { return !lives(process) && !lives(beside); }));
}

TEST_F(exec, says_why_not) {
  auto job = waiting_task();
  EXPECT_EQ(shell(job, "no-such-program").code, 127);
  auto none = troupe({"exec", job, "--", "no-such-program"});
  EXPECT_EQ(none.code, 127);
  EXPECT_NE(none.err.find("No such file"), std::string::npos) << none.err;
  EXPECT_NE(troupe({"exec", "99", "--", "true"}).err.find("there is no job 99"), std::string::npos);
  auto other = troupe({"exec", job, "--task", "worker:7", "--", "true"});
  EXPECT_NE(other.err.find("has no task 'worker:7'"), std::string::npos) << other.err;
  ASSERT_EQ(troupe({"kill", job}).code, 0);
  ASSERT_TRUE(becomes(job, "killed"));
  EXPECT_EQ(shell(job, "true").code, 3);
}

TEST_F(exec, outlives_its_master) {
  auto job = waiting_task();
  ASSERT_EQ(::mkfifo((scratch + "/second").c_str(), 0600), 0);
  auto beside = start_process("beside", {"--dir", directory, "exec", job, "--", "sh", "-c",
                                         "echo began; cat " + scratch + "/second; echo over"});
  ASSERT_TRUE(eventually([&] { return text_of(scratch + "/beside.log").find("began") == 0; }));
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0);
  ASSERT_TRUE(eventually([&] { return troupe({"status"}).code == 0; }));
  std::ofstream{scratch + "/second"} << "go\n";
  EXPECT_TRUE(eventually([&] { return text_of(scratch + "/beside.log") == "began\ngo\nover\n"; }));
  EXPECT_TRUE(eventually([&] { return !lives(beside); }));
}

} // namespace
} // namespace troupe::e2e
