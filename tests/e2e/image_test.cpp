// Tasks whose files are those of a container's image, with a real podman.
#include "launcher/run_command.hpp"
#include "tests/e2e/cluster.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace troupe::e2e {
namespace {

constexpr auto image = "localhost/troupe-test:1";

bool has(const char* program) {
  return ::access((std::string{"/usr/bin/"} + program).c_str(), X_OK) == 0;
}

bool may_mount() {
  auto tried = launcher::run_command({"unshare", "--mount", "mount", "-t", "tmpfs", "x", "/tmp"});
  return tried && tried->code == 0;
}

class images : public cluster {
protected:
  void SetUp() override {
    cluster::SetUp();
    if (::geteuid() != 0 || !has("podman") || !has("busybox") || !may_mount()) {
      std::printf("SKIPPED: images: it takes root that may mount, podman and busybox (Debian: "
                  "podman, busybox-static)\n");
      GTEST_SKIP();
    }
    // One program, a file, a variable, and a link that would lead elsewhere on the node.
    write("image.sh", "set -e; mkdir -p root/bin root/etc root/inside; cd root\n"
                      "cp /usr/bin/busybox bin/; echo of-image > etc/mark; ln -s /inside escape\n"
                      "tar -c . | podman import --change 'ENV FROM_IMAGE=yes' - $1\n");
    auto made = launcher::run_command({"sh", "-c", "cd " + scratch + "; exec sh image.sh " + image},
                                      {}, std::chrono::minutes(1));
    ASSERT_TRUE(made && made->code == 0) << (made ? made->err : made.error().text);
  }

  void TearDown() override {
    cluster::TearDown();
    for (auto* each : {"podman image unmount --force ", "podman rmi --force "})
      [[maybe_unused]] auto code
        = ::system((std::string{each} + image + " > /dev/null 2>&1").c_str());
  }

  // A job of one task in the image; `more` are further lines of its type.
  std::string job_in_image(const std::string& script, const std::string& more = {}) const {
    auto file = write("in_image.sh", script);
    return write("image.yaml", std::string{"name: boxed\nattempts: 1\ndirectory: "} + scratch
                                 + "\ntasks:\n  worker:\n    image: " + image
                                 + "\n    command: [/bin/busybox, sh, " + file + "]\n" + more);
  }

  std::string log_of(const std::string& job) const { return troupe({"logs", job}).out; }
};

TEST_F(images, a_task_sees_the_files_of_its_image) {
  start_nodes(1, 1);
  std::filesystem::create_directory(scratch + "/data");
  write("data/in", "of-node\n");
  auto job = submit(job_in_image(
    "cat() { busybox cat \"$@\"; }\n"
    "cat /etc/mark /data/in /inside/below/in; echo $FROM_IMAGE $TROUPE_TASK_TYPE; pwd\n"
    "(echo no > /data/in) 2> /dev/null || echo kept\n"
    "[ -e /usr/bin/env ] || echo alone\n"
    "echo scratch > /bin/made && cat /bin/made\n"
    "echo result > $TROUPE_OUTPUT/result\n"
    "echo metric loss 0.5 1 >&$TROUPE_METRICS_FD\n",
    "    memory: 256 MiB\n    mounts: ['" + scratch + "/data:/data:ro', '" + scratch
      + "/data:/escape/below']\n"));
  ASSERT_TRUE(becomes(job, "succeeded")) << log_of(job);
  EXPECT_EQ(log_of(job),
            "of-image\nof-node\nof-node\nyes worker\n" + scratch + "\nkept\nalone\nscratch\n");
  EXPECT_EQ(text_of(directory + "/jobs/" + job + "/1/result"), "result\n");
  EXPECT_NE(troupe({"metrics", job, "--json"}).out.find("loss"), std::string::npos);
  EXPECT_EQ(text_of(scratch + "/data/in"), "of-node\n");
  for (auto* path : {"/inside", "/data/in", "/bin/made"})
    EXPECT_FALSE(std::filesystem::exists(path)) << path << " was made on the node";
}

TEST_F(images, a_command_beside_it_sees_them_too) {
  start_nodes(1, 1);
  auto job = submit(job_in_image("busybox cat gate\n"));
  ASSERT_TRUE(becomes(job, "running"));
  auto look = [&] { return troupe({"exec", job, "--", "/bin/busybox", "cat", "/etc/mark"}); };
  EXPECT_TRUE(eventually([&] { return look().out == "of-image\n"; })) << look().err;
  EXPECT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
}

TEST_F(images, a_task_is_another_user_there_for_good) {
  ASSERT_EQ(troupe({"up", "--nodes", "1", "--cpus", "1", "--task-user", "nobody"}).code, 0);
  std::filesystem::permissions(scratch, std::filesystem::perms::all);
  auto job = submit(job_in_image("busybox id -u; busybox grep NoNewPrivs /proc/self/status\n"));
  ASSERT_TRUE(becomes(job, "succeeded")) << log_of(job);
  EXPECT_EQ(log_of(job), "65534\nNoNewPrivs:\t1\n");
}

TEST_F(images, a_user_mounts_only_what_it_can_reach) {
  ASSERT_EQ(troupe({"up", "--nodes", "1", "--cpus", "1", "--task-user", "nobody"}).code, 0);
  namespace fs = std::filesystem;
  fs::permissions(scratch, fs::perms::all);
  fs::create_directories(scratch + "/private/open");
  fs::permissions(scratch + "/private", fs::perms::owner_all);
  auto job = submit(job_in_image("true\n", "    mounts: ['" + scratch + "/private/open:/x']\n"));
  ASSERT_TRUE(becomes(job, "failed"));
  EXPECT_NE(log_of(job).find("private/open' cannot be mounted: Permission denied"),
            std::string::npos)
    << log_of(job);
}

TEST_F(images, nothing_is_made_in_what_is_mounted) {
  start_nodes(1, 1);
  std::filesystem::create_directory(scratch + "/data");
  auto in = write("in", "in");
  auto job = submit(
    job_in_image("true\n", "    mounts: ['" + scratch + "/data:/x', '" + in + ":/x/made']\n"));
  ASSERT_TRUE(becomes(job, "failed"));
  EXPECT_NE(log_of(job).find("nothing can be mounted at '/x/made'"), std::string::npos)
    << log_of(job);
  EXPECT_FALSE(std::filesystem::exists(scratch + "/data/made"));
}

TEST_F(images, an_executor_that_dies_takes_its_task_along) {
  start_nodes(1, 1);
  auto job = submit(job_in_image("echo $$ > pid; busybox sleep 1000 & busybox sleep 1000\n"));
  ASSERT_TRUE(eventually([&] { return !text_of(scratch + "/pid").empty(); }));
  auto task = std::stoi(text_of(scratch + "/pid"));
  ASSERT_TRUE(lives(task));
  auto executors = executors_of("node-1");
  ASSERT_EQ(executors.size(), 1u);
  ASSERT_EQ(::kill(executors[0], SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return !lives(task); }));
  EXPECT_TRUE(becomes(job, "failed"));
}

TEST_F(images, an_image_that_is_nowhere_is_named) {
  start_nodes(1, 1);
  auto file = write("none.yaml", "name: none\nattempts: 1\ntasks:\n  worker:\n    image: "
                                 "localhost:1/none:1\n    command: [/bin/true]\n");
  auto done = troupe({"submit", file, "--wait"});
  EXPECT_EQ(done.code, 1);
  EXPECT_NE(done.err.find("the image localhost:1/none:1 cannot be entered"), std::string::npos)
    << done.err;
  EXPECT_NE(log_of("1").find("podman cannot get the image"), std::string::npos) << log_of("1");
}

} // namespace
} // namespace troupe::e2e
