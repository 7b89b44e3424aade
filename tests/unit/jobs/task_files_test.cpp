#include "actors/jobs/task_files.hpp"
#include "actors/jobs/task_process.hpp"
#include "storage/hash.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace troupe {
namespace {

namespace fs = std::filesystem;

// A job's directory, the directory of its attempt below Troupe's own, and one real task.
class TaskFiles : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(guard);
    fs::create_directories(output);
    fs::create_directories(directory);
    command.environment = {{"PATH", "/usr/bin:/bin"}, {"TROUPE_OUTPUT", output}};
    command.directory = directory;
    command.log_file = output + "/worker-0.log";
    command.metrics_file = output + "/worker-0.metrics";
  }

  static void write(const std::string& path, const std::string& text) {
    std::ofstream{path} << text;
  }

  std::string log_text() const {
    std::ifstream in{command.log_file};
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }

  // What is there was made before the task, as far as file systems can tell.
  static void let_ticks_pass() {
    timespec before{}, now{};
    for (int ticks = 0; ticks < 3; ++ticks) {
      ::clock_gettime(CLOCK_REALTIME_COARSE, &before);
      do
        ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
      while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
    }
  }

  // Runs the script, and tells what it used by its name.
  std::map<std::string, file_use_msg> used_by(const std::string& script) {
    let_ticks_pass();
    command.command = {"sh", "-c", script};
    task_files files{{output, directory, command.log_file, command.metrics_file, {"worker"}, ""}};
    task_process process{time, *guard};
    auto ran = process.run(command, [](int) {});
    EXPECT_TRUE(ran && ran->code == 0) << log_text();
    auto found = files.look(process.take_paths(), enough);
    left_out = found.left_out;
    count = found.all.size();
    std::map<std::string, file_use_msg> out;
    for (auto& each : found.all)
      EXPECT_TRUE(out.emplace(fs::path{each->path}.lexically_relative(scratch.path), *each).second)
        << each->path;
    return out;
  }

  scratch_directory scratch;
  std::string directory = scratch.path + "/project";
  std::string output = directory + "/cluster/jobs/1/1";
  system_clock time;
  result<task_guard> guard = task_guard::start(); // before this process has threads
  task_command command;
  std::function<bool()> enough = [] { return false; };
  uint64_t left_out = 0;
  size_t count = 0;
};

TEST_F(TaskFiles, NamesWhatWasWrittenWithItsHash) {
  write(directory + "/data.txt", "b\na\n");
  auto used = used_by("cp data.txt copy.txt\nsort copy.txt > sorted.txt\n"
                      "mkdir -p $TROUPE_OUTPUT/deep/er; wc -l < sorted.txt > "
                      "$TROUPE_OUTPUT/deep/er/count; echo said");
  EXPECT_EQ(used.size(), 5u);
  EXPECT_EQ(used["project/cluster/jobs/1/1/worker-0.metrics"].use, file_use_kind::metrics);
  EXPECT_EQ(used["project/copy.txt"].hash, storage::sha256("b\na\n"));
  EXPECT_EQ(used["project/copy.txt"].size, 4u);
  EXPECT_EQ(used["project/copy.txt"].use, file_use_kind::written);
  EXPECT_EQ(used["project/sorted.txt"].hash, storage::sha256("a\nb\n"));
  EXPECT_EQ(used["project/cluster/jobs/1/1/deep/er/count"].hash, storage::sha256("2\n"));
  auto& log = used["project/cluster/jobs/1/1/worker-0.log"];
  EXPECT_EQ(log.use, file_use_kind::log);
  EXPECT_EQ(log.hash, storage::sha256("said\n"));
}

TEST_F(TaskFiles, NamesWhatTheTaskTellsOf) {
  fs::create_directories(scratch.path + "/elsewhere");
  write(scratch.path + "/elsewhere/in.csv", "1,2");
  write(scratch.path + "/elsewhere/model.bin", "of another");
  write(directory + "/near.csv", "3");
  auto used = used_by("cd /; say() { echo \"$@\" >&$TROUPE_METRICS_FD; }\n"
                      "say input "
                      + scratch.path
                      + "/elsewhere/in.csv; say input near.csv\n"
                        "say output "
                      + scratch.path
                      + "/elsewhere/model.bin; say input ./near.csv\n"
                        "say output gone.bin; say input /; say input");
  EXPECT_EQ(used.size(), 5u);
  EXPECT_EQ(used["elsewhere/in.csv"].use, file_use_kind::read);
  EXPECT_EQ(used["elsewhere/in.csv"].hash, storage::sha256("1,2"));
  EXPECT_EQ(used["project/near.csv"].use, file_use_kind::read);
  EXPECT_EQ(used["elsewhere/model.bin"].use, file_use_kind::written);
  EXPECT_EQ(used["elsewhere/model.bin"].hash, storage::sha256("of another"));
  EXPECT_NE(log_text().find("output gone.bin that this task names"), std::string::npos);
  EXPECT_NE(log_text().find("input / that this task names"), std::string::npos);
}

TEST_F(TaskFiles, BoundsWhatTheTaskTellsOf) {
  auto more = std::to_string(limits::task_files_max + 7);
  used_by("i=0; while [ $i -lt " + more
          + " ]; do i=$((i + 1)); echo output x$i; done "
            ">&$TROUPE_METRICS_FD");
  EXPECT_EQ(left_out, 7u);
}

TEST_F(TaskFiles, LeavesOutWhatTheTaskDidNotWrite) {
  for (auto* name : {"/old", "/moved", "/mode", "/link_to"})
    write(directory + name, "before");
  write(directory + "/cluster/store", "of Troupe");
  fs::create_directories(directory + "/cluster/jobs/2/1");
  auto used
    = used_by("mv moved away; chmod 600 mode; ln -s old link; ln link_to second\n"
              "echo x > gone; rm gone; mkfifo pipe\n"
              "echo x > cluster/store; echo x > cluster/jobs/2/1/of-another\n"
              "mkdir -p .git __pycache__; echo x > .git/a; echo x > __pycache__/b.pyc\n"
              "for n in worker-7.log worker-7.metrics worker-0.level hostfile-worker-1; do\n"
              "  echo x > $TROUPE_OUTPUT/$n; done; echo x > $TROUPE_OUTPUT/worker-x.log");
  std::vector<std::string> names;
  for (auto& [name, use] : used)
    names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"project/cluster/jobs/1/1/worker-0.log",
                                             "project/cluster/jobs/1/1/worker-0.metrics",
                                             "project/cluster/jobs/1/1/worker-x.log"}));
}

TEST_F(TaskFiles, DoesNotLookWhereTroupeKeepsItsOwn) {
  command.directory = directory = directory + "/cluster";
  auto used = used_by("echo x > made; echo x > $TROUPE_OUTPUT/told");
  EXPECT_FALSE(used.contains("project/cluster/made"));
  EXPECT_TRUE(used.contains("project/cluster/jobs/1/1/told"));
  EXPECT_NE(log_text().find("Troupe keeps its own there"), std::string::npos) << log_text();
}

TEST_F(TaskFiles, LeavesOutAFileThatSomebodyElseStillWrites) {
  std::ofstream open{directory + "/of-another"};
  open << "first" << std::flush;
  auto used = used_by("echo x >> of-another; echo y > own");
  EXPECT_TRUE(used.contains("project/own"));
  EXPECT_FALSE(used.contains("project/of-another"));
}

TEST_F(TaskFiles, SeesAFileWhoseTimeIsOlderThanTheTask) {
  write(directory + "/old", "kept");
  auto used = used_by("touch -d 2001-01-01 old; cp -p old new");
  EXPECT_EQ(used["project/new"].hash, storage::sha256("kept"));
  EXPECT_FALSE(used.contains("project/old"));
}

TEST_F(TaskFiles, NamesSoManyAndCountsTheRest) {
  auto used = used_by("i=0; while [ $i -lt 1200 ]; do : > f$i; i=$((i+1)); done");
  EXPECT_EQ(count + left_out, 1202u); // with its log and its metrics
  EXPECT_LE(count, limits::task_files_max);
  EXPECT_GT(count, 900u);
  EXPECT_EQ(used.begin()->second.use, file_use_kind::log);
  EXPECT_NE(log_text().find(std::to_string(left_out) + " files that this task used are not"),
            std::string::npos)
    << log_text();
}

TEST_F(TaskFiles, NamesAFileWithoutAHashWhenThereWasEnoughReading) {
  enough = [] { return true; };
  auto used = used_by("echo x > made");
  ASSERT_TRUE(used.contains("project/made"));
  EXPECT_EQ(used["project/made"].hash, "");
  EXPECT_EQ(used["project/made"].size, 2u);
}

TEST_F(TaskFiles, TracesWhatItsProcessesRead) {
  auto elsewhere = scratch.path + "/elsewhere";
  fs::create_directories(elsewhere);
  write(elsewhere + "/a", "first");
  write(elsewhere + "/b", "second");
  write(elsewhere + "/c", "not read");
  write(elsewhere + "/d", "by a child that left");
  command.trace_reads = true;
  auto used = used_by("cat ../elsewhere/./a > own; cat own " + elsewhere + "/b > /dev/null; cat "
                      + elsewhere
                      + "/none 2> /dev/null\n"
                        "echo x >> ../elsewhere/c; setsid cat ../elsewhere/d > /dev/null; true");
  if (log_text().find("not recorded") != std::string::npos)
    GTEST_SKIP() << log_text();
  EXPECT_EQ(used["elsewhere/a"].use, file_use_kind::read);
  EXPECT_EQ(used["elsewhere/a"].hash, storage::sha256("first"));
  EXPECT_EQ(used["elsewhere/b"].hash, storage::sha256("second"));
  EXPECT_EQ(used["elsewhere/d"].use, file_use_kind::read);
  EXPECT_EQ(used["project/own"].use, file_use_kind::written);
  EXPECT_EQ(used.size(), 6u); // with its log and its metrics
}

TEST_F(TaskFiles, TracesNothingUnlessItIsAsked) {
  write(scratch.path + "/a", "first");
  auto used = used_by("cat ../a > own");
  EXPECT_FALSE(used.contains("a"));
}

TEST_F(TaskFiles, SaysThatATaskInAnImageIsNotTraced) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root enters an image";
  command.trace_reads = true;
  command.image.name = "none";
  command.enters_image = "/bin/true";
  used_by("true");
  EXPECT_NE(log_text().find("reads are not recorded: it runs in an image"), std::string::npos)
    << log_text();
}

TEST(IsData, KnowsProgramsAndTheirPackages) {
  for (auto* path : {"/data/train.npy", "/data/run.py", "/opt/sets/sofa", "/usrdata/x"})
    EXPECT_TRUE(is_data(path)) << path;
  for (auto* path : {"/usr/share/x", "/etc/passwd", "/proc/self/maps", "/opt/lib/libx.so.1",
                     "/opt/venv/lib/python3.11/site-packages/numpy/a.py"})
    EXPECT_FALSE(is_data(path)) << path;
}

} // namespace
} // namespace troupe
