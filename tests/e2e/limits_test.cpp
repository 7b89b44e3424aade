// What a task takes from its neighbours: nothing that is theirs.
#include "tests/e2e/cluster.hpp"

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

namespace troupe::e2e {
namespace {

namespace fs = std::filesystem;

class limits : public cluster {
protected:
  // A job of one task that declares its cpu only, and has entered its group when the script begins.
  std::string in_group(const std::string& name, const std::string& script) const {
    auto program = write(name + ".sh", "cd " + scratch
                                         + "\nuntil grep -q /troupe-task- "
                                           "/proc/self/cgroup; do :; done\n"
                                         + script + "\n");
    return submit(write(name + ".yaml", "name: " + name
                                          + "\ntasks:\n  worker:\n    command: "
                                            "[/bin/sh, "
                                          + program + "]\n"));
  }
};

TEST_F(limits, a_hog_is_killed_for_its_memory_and_its_neighbour_is_not) {
  start_nodes(1, 4);
  auto neighbour = submit(job_of(waits_at_gate));
  ASSERT_TRUE(becomes(neighbour, "running"));
  auto hog
    = write("hog.yaml", "name: hog\nattempts: 3\nretries: {out_of_memory: 0}\ntasks:\n  worker:\n"
                        "    memory: 32 MiB\n    command: head -c 400000000 /dev/zero | tail\n");
  auto ran = troupe({"submit", hog, "--wait", "--json"});
  EXPECT_EQ(ran.code, 1) << ran.err;
  auto why = value_of(ran.out, "cause");
  if (why == "user_error") // its memory was a limit of each process' data, and tail said so
    EXPECT_FALSE(fs::exists("/sys/fs/cgroup/memory/cgroup.procs"));
  else
    EXPECT_EQ(why, "out_of_memory") << ran.out;
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(neighbour, "succeeded"));
}

// The neighbour counts to a number, and each of the hog's forty processes as far as it comes
// meanwhile: all of them together hardly further than the neighbour, which has as many cpus.
TEST_F(limits, a_hog_of_processors_does_not_slow_its_neighbour) {
  start_nodes(1, 2);
  const std::string together
    = "echo in >> counting; until [ $(wc -l < counting) = 2 ]; do :; done\n";
  auto hog
    = in_group("hog", together
                        + "for each in $(seq 40); do (n=0; until [ -e done ]; do n=$((n+1)); "
                          "done; echo $n >> hogs) & done; wait");
  auto neighbour
    = in_group("neighbour", together
                              + "n=0; until [ $n = 400000 ] || [ -e done ]; do n=$((n+1)); "
                                "done; echo $n > done");
  if (!eventually([&] { return fs::exists(scratch + "/counting"); })) {
    EXPECT_FALSE(fs::exists("/sys/fs/cgroup/cpu/cgroup.procs"));
    GTEST_SKIP() << "no control groups that may be written here";
  }
  ASSERT_TRUE(becomes(neighbour, "succeeded"));
  ASSERT_TRUE(becomes(hog, "succeeded"));
  std::istringstream counts{text_of(scratch + "/hogs")};
  long sum = 0;
  int processes = 0;
  for (long count = 0; counts >> count; ++processes)
    sum += count;
  EXPECT_EQ(processes, 40);
  EXPECT_LT(sum, 400000 * 6); // 400000 * 40 without limits
}

// The machine has two accelerators, of which the node is shown the second and the first.
class accelerators : public limits {
protected:
  void SetUp() override {
    limits::SetUp();
    ::setenv("LD_LIBRARY_PATH", TROUPE_STAND_INS, 1);
    ::setenv("CUDA_VISIBLE_DEVICES", "GPU-second,0", 1);
  }
  void TearDown() override {
    ::unsetenv("LD_LIBRARY_PATH");
    ::unsetenv("CUDA_VISIBLE_DEVICES");
    limits::TearDown();
  }
};

TEST_F(accelerators, are_found_given_out_and_measured) {
  start_nodes(2, 4);
  auto nodes = troupe({"nodes", "--json"}).out;
  EXPECT_EQ(value_of(nodes, "accelerators"), "2") << nodes;
  EXPECT_NE(nodes.find("\"accelerators\": 0"), std::string::npos) << nodes; // of the second node
  auto file
    = write("job.yaml", "name: seen\ntasks:\n  worker:\n    instances: 2\n    "
                        "accelerators: 1\n    command: |\n      echo $CUDA_VISIBLE_DEVICES "
                        "$TROUPE_ACCELERATORS $CUDA_DEVICE_ORDER >> "
                          + scratch + "/given; cat " + scratch
                          + "/gate\n  other:\n    command: echo none=$CUDA_VISIBLE_DEVICES >> "
                          + scratch + "/given\n    after: [worker]\n");
  auto job = submit(file);
  auto share = [&](const std::string& task) {
    return troupe({"metrics", job, "--task", task, "--name", "system/accelerator_share"}).out;
  };
  EXPECT_TRUE(eventually([&] {
    auto both = share("worker:0") + share("worker:1");
    return both.find(" 0.5") != std::string::npos && both.find(" 0.75") != std::string::npos;
  }))
    << share("worker:0") << share("worker:1");
  ASSERT_TRUE(open_gate()); // for both, which read there
  ASSERT_TRUE(becomes(job, "succeeded"));
  std::istringstream given{text_of(scratch + "/given")};
  std::set<std::string> lines;
  for (std::string line; std::getline(given, line);)
    lines.insert(line);
  EXPECT_EQ(lines,
            (std::set<std::string>{"GPU-second GPU-second PCI_BUS_ID", "0 0 PCI_BUS_ID", "none="}));
}

} // namespace
} // namespace troupe::e2e
