// What a job brings along: on every node once, whatever dies meanwhile.
#include "tests/e2e/cluster.hpp"
#include "tests/support/archive_maker.hpp"

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

namespace troupe::e2e {

namespace {

namespace fs = std::filesystem;

// Lines of a log that have the text.
size_t count(const std::string& log, const std::string& text) {
  size_t out = 0;
  for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1))
    ++out;
  return out;
}

} // namespace

class packages : public cluster {
protected:
  void SetUp() override {
    cluster::SetUp();
    fs::create_directories(scratch + "/src/data");
    write("src/data/numbers", "1 2 3\n");
    write("src/run.sh", "#!/bin/sh\ncat data/numbers given/extra\necho from $PWD\n");
    ::chmod((scratch + "/src/run.sh").c_str(), 0755);
    fs::create_directories(scratch + "/more");
    write("more/extra", "4 5 6\n");
  }

  // A job of `tasks` that runs what it brings.
  std::string shipped_job(int tasks) const {
    return write("shipped.yaml", "name: shipped\nattempts: 1\nresources:\n"
                                 "  - {path: src, name: .}\n  - {path: more, name: given}\n"
                                 "tasks:\n  worker:\n    instances: "
                                   + std::to_string(tasks) + "\n    command: [./run.sh]\n");
  }

  // One that counts the bytes of a file of so many that nobody compresses.
  std::string large_job(size_t bytes) const {
    std::ofstream out{scratch + "/large", std::ios::binary};
    std::mt19937_64 random{1};
    std::vector<uint64_t> block(1 << 17);
    for (size_t done = 0; done < bytes; done += block.size() * sizeof(uint64_t)) {
      for (auto& each : block)
        each = random();
      out.write(reinterpret_cast<const char*>(block.data()),
                static_cast<std::streamsize>(block.size() * sizeof(uint64_t)));
    }
    return write("large.yaml", "name: large\nattempts: 2\nresources: [large]\ntasks:\n  worker:\n"
                               "    instances: 2\n    command: wc -c < large\n");
  }

  // Stops the process, without its knowledge, when a package is on its way below the directory;
  // false if it came too late.
  static bool stop_amid(int process, const std::string& below) {
    auto on_its_way = [&] {
      std::error_code none;
      for (auto& entry : fs::directory_iterator{below, none})
        if (entry.path().extension() == ".part" && entry.file_size(none) > 0)
          return true;
      return false;
    };
    auto caught = eventually(on_its_way) && ::kill(process, SIGSTOP) == 0;
    return caught && on_its_way();
  }

  std::string log_of(const std::string& process) const {
    return text_of(directory + "/logs/" + process + ".log");
  }

  void expect_all_of_it(const std::string& job) const {
    EXPECT_EQ(value_of(job_json(job), "attempt"), "1") << "nothing was lost";
    auto logs = troupe({"logs", job}).out;
    EXPECT_EQ(count(logs, std::to_string(large)), 2u) << logs;
    EXPECT_EQ(count(log_of("master"), "package arrived"), 1u);
    EXPECT_EQ(count(log_of("node-1"), "package fetched"), 1u);
  }

  static constexpr size_t large = 300 << 20;
};

TEST_F(packages, run_on_a_near_node_and_on_one_of_another_machine) {
  start_nodes(1, 2);
  auto there = other_machine("far");
  join("far", there, 2);
  ASSERT_TRUE(eventually([&] { return node_state("far") == "alive"; }));
  auto job = shipped_job(4);
  auto ran = troupe({"submit", job, "--wait"});
  ASSERT_EQ(ran.code, 0) << ran.err << ran.out;
  EXPECT_NE(ran.out.find("on far"), std::string::npos) << ran.out;
  EXPECT_EQ(count(ran.out, "shipping"), 2u) << ran.out;
  auto logs = troupe({"logs", "1", "--task", "worker:0"}).out;
  EXPECT_NE(logs.find("1 2 3\n"), std::string::npos) << logs;
  EXPECT_NE(logs.find("4 5 6\n"), std::string::npos) << logs;
  EXPECT_NE(logs.find("work/1/1/worker-0"), std::string::npos) << logs;
  // Once per node, however many tasks it has.
  auto far_log = [&] { return text_of(there + "/logs/far.log"); };
  EXPECT_EQ(count(log_of("node-1"), "package fetched"), 2u);
  EXPECT_EQ(count(far_log(), "package fetched"), 2u);
  // The same content is neither brought nor fetched again.
  fs::last_write_time(scratch + "/src/run.sh", fs::file_time_type::clock::now());
  auto again = troupe({"submit", job, "--wait"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(count(again.out, "shipping"), 0u) << again.out;
  EXPECT_EQ(count(log_of("master"), "package arrived"), 2u);
  EXPECT_EQ(count(log_of("node-1") + far_log(), "package fetched"), 4u);
  for (auto& own : {directory + "/nodes/node-1", there + "/nodes/far"})
    EXPECT_TRUE(eventually([&] { return fs::is_empty(own + "/work"); })) << own;
  auto lineage = troupe({"lineage", "show", "2"}).out;
  EXPECT_EQ(count(lineage, "package "), 2u) << lineage;
}

TEST_F(packages, that_a_node_has_no_room_to_keep_go_with_their_tasks) {
  ASSERT_EQ(troupe({"up", "--nodes", "1", "--package-cache", "10"}).code, 0);
  auto ran = troupe({"submit", shipped_job(1), "--wait"});
  ASSERT_EQ(ran.code, 0) << ran.err << ran.out;
  EXPECT_EQ(count(log_of("node-1"), "package fetched"), 2u);
  // Of the two, 6 and 64 bytes, there is room for the small one.
  EXPECT_TRUE(eventually([&] {
    fs::directory_iterator kept{directory + "/nodes/node-1/packages"};
    return std::distance(begin(kept), end(kept)) == 1;
  }));
}

TEST_F(packages, run_without_a_cluster) {
  auto ran = troupe({"submit", shipped_job(2)});
  EXPECT_EQ(ran.code, 0) << ran.err << ran.out;
  EXPECT_NE(ran.out.find("job 1 succeeded"), std::string::npos) << ran.out;
}

TEST_F(packages, that_cannot_be_read_are_named_before_anything_is_sent) {
  start_nodes(1, 1);
  auto job = write("bad.yaml", "name: bad\nresources: [no-such-file]\ntasks:\n  worker:\n"
                               "    command: 'true'\n");
  auto refused = troupe({"submit", job});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("no-such-file"), std::string::npos) << refused.err;
  EXPECT_EQ(troupe({"submit", job, "--dry-run"}).code, 2);
}

TEST_F(packages, that_would_leave_their_directory_are_refused) {
  start_nodes(1, 1);
  testing::archive_maker made{scratch + "/evil.tar.gz", "gnutar", "gzip"};
  made.add({"good", "1"}).add({"../../evil", "2"}).close();
  auto job = write("evil.yaml", "name: evil\nattempts: 1\ntasks:\n  worker:\n    command: 'true'\n"
                                "    resources: [{path: evil.tar.gz, unpack: true}]\n");
  auto ran = troupe({"submit", job, "--wait"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("'../../evil'"), std::string::npos) << ran.err;
  EXPECT_TRUE(fs::is_empty(directory + "/nodes/node-1/packages"));
}

TEST_F(packages, are_fetched_on_when_the_agent_is_killed_amid) {
  start_nodes(1, 2);
  auto job = submit(large_job(large));
  auto master = master_process(), agent = agent_process("node-1");
  ASSERT_TRUE(stop_amid(agent, directory + "/nodes/node-1/packages"));
  EXPECT_FALSE(value_of(job_json(job), "state") == "running");
  ASSERT_EQ(::kill(agent, SIGKILL), 0);
  ASSERT_TRUE(becomes(job, "succeeded"));
  expect_all_of_it(job);
  EXPECT_EQ(count(log_of("node-1"), "kept=0"), 0u) << "it went on where it ended";
  EXPECT_EQ(master_process(), master);
}

TEST_F(packages, are_fetched_on_when_the_master_is_killed_amid) {
  start_nodes(1, 2);
  auto job = submit(large_job(large));
  auto master = master_process();
  ASSERT_TRUE(stop_amid(master, directory + "/nodes/node-1/packages"));
  ASSERT_EQ(::kill(master, SIGKILL), 0);
  ASSERT_TRUE(becomes(job, "succeeded"));
  expect_all_of_it(job);
  EXPECT_NE(master_process(), master);
}

TEST_F(packages, are_brought_on_when_the_master_is_killed_amid) {
  start_nodes(1, 2);
  auto master = master_process();
  start_process("client", {"--dir", directory, "submit", large_job(large), "--wait"});
  ASSERT_TRUE(stop_amid(master, directory + "/packages"));
  ASSERT_EQ(::kill(master, SIGKILL), 0);
  EXPECT_TRUE(eventually(
    [&] { return text_of(scratch + "/client.log").find("job 1 succeeded") != std::string::npos; }))
    << text_of(scratch + "/client.log");
  expect_all_of_it("1");
}

TEST_F(packages, of_a_job_that_is_killed_are_not_awaited) {
  start_nodes(1, 2);
  auto job = submit(large_job(large));
  auto agent = agent_process("node-1");
  ASSERT_TRUE(stop_amid(agent, directory + "/nodes/node-1/packages"));
  ASSERT_EQ(troupe({"kill", job}).code, 0);
  ASSERT_EQ(::kill(agent, SIGCONT), 0);
  EXPECT_TRUE(becomes(job, "killed"));
  EXPECT_EQ(value_of(troupe({"nodes", "--json"}).out, "cpus_free"), "2");
}

} // namespace troupe::e2e
