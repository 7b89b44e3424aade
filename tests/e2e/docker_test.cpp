// docker/, as far as it can be held without a container engine: the composed cluster is run, with
// its own words and the binaries that the image has, as processes of this machine.
#include "launcher/run_command.hpp"
#include "tests/e2e/cluster.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace troupe::e2e {
namespace {

namespace fs = std::filesystem;

constexpr auto compose_file = "docker/compose.yml";

struct instruction {
  std::string name;
  std::string words; // as they stand, in one line
};

// Comments are dropped, lines that end in a backslash are joined.
std::vector<instruction> dockerfile(const std::string& path) {
  std::vector<instruction> found;
  std::istringstream lines{text_of(path)};
  auto goes_on = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with('#'))
      continue;
    auto more = line.ends_with('\\');
    if (more)
      line.pop_back();
    auto name = line.substr(0, line.find(' '));
    if (goes_on)
      found.back().words += line;
    else
      found.push_back({name, line.substr(std::min(name.size() + 1, line.size()))});
    goes_on = more;
  }
  return found;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in{text};
  std::vector<std::string> found;
  for (std::string word; in >> word;)
    found.push_back(word);
  return found;
}

class docker : public cluster {
protected:
  void SetUp() override {
    cluster::SetUp();
    compose = YAML::LoadFile(compose_file);
    auto build = compose["services"]["master"]["build"];
    context = fs::path{compose_file}.parent_path() / build["context"].as<std::string>();
    image = dockerfile(context / build["dockerfile"].as<std::string>());
  }

  // The last of its kind; empty where there is none.
  std::string last(const std::string& name) const {
    std::string found;
    for (auto& each : image)
      if (each.name == name)
        found = each.words;
    return found;
  }

  // What the image has below the directory of its last COPY, in `to`.
  void unpack_bundle(const std::string& to) const {
    auto archive = scratch + "/bundle.tar.gz";
    ASSERT_EQ(troupe({"archive", archive}).code, 0);
    fs::create_directory(to);
    auto unpacked = launcher::run_command({"tar", "-xzf", archive, "-C", to});
    ASSERT_TRUE(unpacked && unpacked->code == 0);
  }

  YAML::Node compose;
  fs::path context;
  std::vector<instruction> image;
};

TEST_F(docker, the_image_is_built_of_what_is_there) {
  std::string stage;
  for (auto& each : image) {
    auto words = words_of(each.words);
    if (each.name == "FROM") {
      EXPECT_EQ(words[0], "debian:12");
      stage = words.size() == 3 ? words[2] : stage;
    } else if (each.name == "COPY" && words[0].starts_with("--from=")) {
      EXPECT_EQ(words[0], "--from=" + stage);
    } else if (each.name == "COPY") {
      EXPECT_TRUE(fs::exists(context / words[0])) << each.words;
    }
  }
  EXPECT_FALSE(stage.empty());
}

TEST_F(docker, the_build_has_the_options_that_the_image_gives_it) {
  const std::string prefix = "-DTROUPE_";
  auto build = text_of(context / "CMakeLists.txt");
  int given = 0;
  for (auto& each : image)
    for (auto& word : words_of(each.words))
      if (word.starts_with(prefix)) {
        ++given;
        auto option = "option(" + word.substr(2, word.find('=') - 2) + ' ';
        EXPECT_NE(build.find(option), std::string::npos) << word;
      }
  EXPECT_GT(given, 0);
}

TEST_F(docker, the_image_runs_no_process_of_roots_and_keeps_the_cluster_in_a_volume) {
  auto user = last("USER");
  EXPECT_TRUE(!user.empty() && user != "root" && user != "0") << user;
  EXPECT_NE(last("ENV").find(" TROUPE_DIR=" + last("VOLUME") + '/'), std::string::npos);
  for (const auto& each : compose["services"]) {
    auto service = each.second["<<"] ? each.second["<<"] : each.second;
    EXPECT_EQ(service["volumes"][0].as<std::string>(), "cluster:" + last("VOLUME"));
  }
}

TEST_F(docker, the_composed_cluster_runs_a_job) {
  unpack_bundle(scratch + "/image");
  auto program = YAML::Load(last("ENTRYPOINT"))[0].as<std::string>();
  auto shipped = words_of(last("COPY")).back();
  ASSERT_TRUE(program.starts_with(shipped)) << program;
  binary = scratch + "/image" + program.substr(shipped.size());
  int nodes = 0;
  for (const auto& service : compose["services"]) {
    auto name = service.first.as<std::string>();
    auto words = service.second["command"].as<std::vector<std::string>>();
    // The name of a service is that of its container.
    if (words[0] == "node") {
      ++nodes;
      EXPECT_EQ(service.second["hostname"].as<std::string>(), name);
      std::replace(words.begin() + 3, words.end(), name, std::string{"localhost"});
    }
    words.insert(words.begin(), {"--dir", directory});
    start_process(name, words);
  }
  ASSERT_EQ(nodes, 3);
  for (int i = 1; i <= nodes; ++i)
    ASSERT_TRUE(eventually([&] { return node_state("node-" + std::to_string(i)) == "alive"; }));
  auto job = submit(job_of("readlink /proc/$PPID/exe > of-$TROUPE_RANK", 2 * nodes));
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(text_of(scratch + "/of-0"), scratch + "/image/bin/troupe-executor\n");
}

TEST_F(docker, compose_takes_the_file) {
  auto taken = launcher::run_command({"docker-compose", "-f", compose_file, "config", "-q"});
  if (!taken && taken.error().code == errc::not_found) {
    std::printf("SKIPPED: the schema of docker/compose.yml: docker-compose is not installed\n");
    GTEST_SKIP();
  }
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_EQ(taken->code, 0) << taken->err;
}

} // namespace
} // namespace troupe::e2e
