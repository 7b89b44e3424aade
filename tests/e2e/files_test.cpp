// The files of a job in its lineage, without a word of them in its job file.
#include "tests/e2e/parsed.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <map>

namespace troupe::e2e {

class files : public cluster {
protected:
  void SetUp() override {
    cluster::SetUp();
    project = scratch + "/project";
  }

  // What sha256sum says.
  static std::string sum_of(const std::string& path) {
    std::string command = "sha256sum '" + path + "'";
    std::string out;
    if (auto* pipe = ::popen(command.c_str(), "r")) {
      std::array<char, 256> line{};
      if (std::fgets(line.data(), line.size(), pipe))
        out = std::string{line.data()}.substr(0, 64);
      ::pclose(pipe);
    }
    return out;
  }

  // Of each file that the lineage of job 1 has, by its path.
  std::map<std::string, std::string> hashes(const char* which) const {
    std::map<std::string, std::string> out;
    auto tree = parsed(troupe({"lineage", "show", "1", "--json"}));
    for (auto& attempt : tree["attempts"])
      for (auto& each : attempt[which])
        out[each["uri"].get<std::string>().substr(7)] = each["sha256"];
    return out;
  }

  std::string project; // where the job's commands run

  std::string three_lines() const {
    std::filesystem::create_directories(project);
    write("project/data.txt", "pear\napple\n");
    return write("project/job.yaml", "name: probe\ntasks:\n  worker:\n    command: |\n"
                                     "      cp data.txt copy.txt\n"
                                     "      sort copy.txt > sorted.txt\n"
                                     "      wc -l < sorted.txt | tee $TROUPE_OUTPUT/count.txt\n");
  }
};

TEST_F(files, three_lines_of_shell_have_a_lineage_that_names_the_hash_of_each) {
  start_nodes(1, 1);
  auto job = three_lines();
  ASSERT_EQ(troupe({"submit", job, "--wait"}).code, 0);
  auto log = directory + "/jobs/1/1/worker-0.log";
  EXPECT_EQ(text_of(log), "2\n");
  std::map<std::string, std::string> expected;
  for (auto& path :
       {project + "/copy.txt", project + "/sorted.txt", directory + "/jobs/1/1/count.txt", log,
        directory + "/jobs/1/1/worker-0.metrics"})
    if (std::filesystem::exists(path))
      expected[path] = sum_of(path);
  ASSERT_GE(expected.size(), 4u);
  EXPECT_TRUE(eventually([&] { return hashes("outputs").size() >= expected.size(); }));
  EXPECT_EQ(hashes("outputs"), expected);
  EXPECT_TRUE(hashes("inputs").empty());
}

TEST_F(files, traced_they_have_what_they_read) {
  start_nodes(1, 1);
  auto job = three_lines();
  ASSERT_EQ(troupe({"submit", job, "--wait", "--trace-files"}).code, 0);
  auto log = text_of(directory + "/jobs/1/1/worker-0.log");
  if (log.find("not recorded") != std::string::npos)
    GTEST_SKIP() << log;
  auto data = project + "/data.txt";
  EXPECT_TRUE(eventually([&] { return !hashes("inputs").empty(); }));
  EXPECT_EQ(hashes("inputs"), (std::map<std::string, std::string>{{data, sum_of(data)}}));
}

} // namespace troupe::e2e
