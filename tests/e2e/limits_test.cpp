// What a task takes from its neighbours: nothing that is theirs.
#include "tests/e2e/cluster.hpp"

#include <filesystem>
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

} // namespace
} // namespace troupe::e2e
