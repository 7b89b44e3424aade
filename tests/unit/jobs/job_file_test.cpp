#include "actors/jobs/job_file.hpp"
#include "actors/jobs/quantities.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace troupe {
namespace {

const char* const good = R"(name: fashion-mnist
attempts: 2
inputs: [data/a.gz, /abs/b.gz]
outputs: [model.bin]
tasks:
  worker:
    instances: 2
    cpus: 3
    memory: 1.5 GiB
    env: {EPOCHS: 3, NAME: "${TROUPE_BIN}/x ${HOME}"}
    command: ["${TROUPE_BIN}/train", --fast]
  chief:
    command: echo hello
)";

job_file_options at_path() {
  job_file_options out;
  out.path = "/data/job.yaml";
  out.parameters["TROUPE_BIN"] = "/opt/bin";
  return out;
}

std::string text_of_error(const std::string& text, std::vector<std::string> overrides = {}) {
  auto options = at_path();
  options.overrides = std::move(overrides);
  auto parsed = parse_job_file(text, options);
  if (parsed)
    return "no error";
  EXPECT_EQ(parsed.error().code, errc::invalid);
  EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  return parsed.error().text;
}

testing::AssertionResult has(const std::string& text, const std::vector<std::string>& parts) {
  for (auto& x : parts)
    if (text.find(x) == std::string::npos)
      return testing::AssertionFailure() << "no \"" << x << "\" in: " << text;
  return testing::AssertionSuccess();
}

TEST(JobFile, ReadsEveryKey) {
  auto job = parse_job_file(good, at_path());
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_EQ(job->name, "fashion-mnist");
  EXPECT_EQ(job->attempts_max, 2u);
  EXPECT_EQ(job->directory, "/data");
  EXPECT_EQ(job->inputs, (std::vector<std::string>{"/data/data/a.gz", "/abs/b.gz"}));
  EXPECT_EQ(job->outputs, std::vector<std::string>{"model.bin"});
  ASSERT_EQ(job->tasks.size(), 2u);
  auto& worker = *job->tasks[0];
  EXPECT_EQ(worker.name, "worker");
  EXPECT_EQ(worker.instances, 2u);
  EXPECT_EQ(worker.cpus, 3u);
  EXPECT_EQ(worker.memory, 3u << 29);
  EXPECT_EQ(worker.command, (std::vector<std::string>{"/opt/bin/train", "--fast"}));
  ASSERT_EQ(worker.env.size(), 2u);
  EXPECT_EQ(worker.env[1]->value, "/opt/bin/x ${HOME}");
  EXPECT_EQ(job->tasks[1]->command, (std::vector<std::string>{"/bin/sh", "-c", "echo hello"}));
}

TEST(JobFile, AppliesOverrides) {
  auto options = at_path();
  options.overrides = {"tasks.worker.instances=4", "name=other", "tasks.worker.env.LR=0.1"};
  auto job = parse_job_file(good, options);
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_EQ(job->name, "other");
  EXPECT_EQ(job->tasks[0]->instances, 4u);
  EXPECT_EQ(job->tasks[0]->env.size(), 3u);
  EXPECT_TRUE(
    has(text_of_error(good, {"tasks.worker.cpus=-4"}), {"--set tasks.worker.cpus", "negative"}));
  EXPECT_TRUE(has(text_of_error(good, {"tasks.worker.cpu=4"}), {"--set", "mean \"cpus\""}));
  EXPECT_TRUE(has(text_of_error(good, {"name.x=4"}), {"--set name.x=4", "holds no keys"}));
  EXPECT_TRUE(has(text_of_error(good, {"nonsense"}), {"KEY=VALUE"}));
}

TEST(JobFile, NamesThePlaceAndTheMend) {
  const std::string head = "name: x\ntasks:\n  worker:\n    command: [a]\n";
  EXPECT_TRUE(has(text_of_error(head + "    memori: 3\n"),
                  {"job.yaml:5", "tasks.worker.memori", "\"memory\""}));
  EXPECT_TRUE(has(text_of_error(head + "colour: blue\n"),
                  {"job.yaml:5", "\"colour\"", "the keys here are name, directory"}));
  EXPECT_TRUE(has(text_of_error(head + "    cpus: -1\n"), {"job.yaml:5", "cpus", "negative"}));
  EXPECT_TRUE(has(text_of_error(head + "    cpus: 0\n"), {"at least 1"}));
  EXPECT_TRUE(has(text_of_error(head + "    cpus: many\n"), {"not a whole number"}));
  EXPECT_TRUE(has(text_of_error(head + "    cpus: [1]\n"), {"not a text"}));
  EXPECT_TRUE(has(text_of_error(head + "    cpus: 99999999999\n"), {"not a whole number"}));
  EXPECT_TRUE(has(text_of_error(head + "    memory: -1 GiB\n"), {"memory", "negative"}));
  EXPECT_TRUE(has(text_of_error(head + "    memory: 1 parsec\n"), {"unit is unknown"}));
  EXPECT_TRUE(has(text_of_error(head + "    memory: 512\n"),
                  {"job.yaml: task type \"worker\" has 512 bytes of memory", "such as 512 MiB"}));
  EXPECT_EQ(text_of_error(head + "    memory: 1 MiB\n"), "no error");
  EXPECT_EQ(text_of_error(head + "    memory: 0\n"), "no error");
  EXPECT_TRUE(has(text_of_error(head + "    command: [b]\n"), {"job.yaml:5", "comes twice"}));
  EXPECT_TRUE(has(text_of_error(head + "outputs: [../x]\n"), {"job.yaml:5", "\"..\""}));
  EXPECT_TRUE(has(text_of_error(head + "inputs: x\n"), {"not a list"}));
  EXPECT_TRUE(has(text_of_error(head + "    env: [x]\n"), {"not a map"}));
  EXPECT_TRUE(has(text_of_error("tasks: {w: {command: x}}\n"), {"\"name\" is missing"}));
  EXPECT_TRUE(has(text_of_error("name: x\n"), {"\"tasks\" is missing"}));
  EXPECT_TRUE(has(text_of_error("name: x\ntasks: {}\n"), {"\"tasks\" is missing or empty"}));
  EXPECT_TRUE(has(text_of_error("name: x\ntasks: {w: {cpus: 1}}\n"), {"job.yaml:2", "no command"}));
  EXPECT_TRUE(has(text_of_error("name: x\ntasks: {w: {command: []}}\n"), {"is empty"}));
  EXPECT_TRUE(has(text_of_error("name: x\n\ttasks: [\n"), {"job.yaml:2", "not YAML"}));
  EXPECT_TRUE(has(text_of_error(""), {"job.yaml:1", "not a map"}));
  EXPECT_TRUE(has(text_of_error("- a\n- b\n"), {"not a map"}));
  EXPECT_TRUE(has(text_of_error(std::string(2 << 20, 'x')), {"1 MiB"}));
}

// Each key that is explained is one that is read, and each that is read is explained.
TEST(JobFile, ExplainsTheKeysInsideOfKeys) {
  std::map<std::string, std::string> values;
  for (auto& each : job_file_keys())
    values[each.name] = each.value + " " + each.meaning;
  auto job = std::string{"name: x\ntasks: {w: {command: [a]}}\n"};
  for (auto& key : {"needs: [{", "end_rules: [{", "resources: [{", "array: {", "retries: {"}) {
    auto text = std::string{key};
    auto list = text.ends_with("[{");
    auto name = text.substr(0, text.find(':'));
    auto said = text_of_error(job + text + "no-such: 1}" + (list ? "]" : "") + "\n");
    auto at = said.find("the keys here are ");
    ASSERT_NE(at, std::string::npos) << said;
    std::istringstream words{said.substr(at + std::string_view{"the keys here are "}.size())};
    size_t count = 0;
    for (std::string word; words >> word; ++count) {
      word.erase(word.find_last_not_of(",") + 1);
      if (name == "retries")
        EXPECT_TRUE(has(values["retries.CAUSE"], {word}));
      else
        EXPECT_TRUE(values.contains(name + (list ? "[]." : ".") + word)) << word;
    }
    EXPECT_GT(count, 1u);
  }
  EXPECT_TRUE(has(values["needs[].when"], {"succeeded | failed | ended"}));
  EXPECT_TRUE(values.contains("tasks.TYPE.resources[].programs"));
}

TEST(JobFile, LooksForThePrograms) {
  auto options = at_path();
  options.program_exists = [](const std::string& program, const std::string& directory) {
    EXPECT_EQ(directory, "/elsewhere");
    return program != "trian.py";
  };
  auto job = parse_job_file(
    "name: x\ntasks:\n  w:\n    command: [trian.py]\ndirectory: /elsewhere\n", options);
  ASSERT_FALSE(job);
  EXPECT_TRUE(has(job.error().text, {"job.yaml:4", "program not found", "trian.py"}));
  EXPECT_TRUE(
    parse_job_file("name: x\ndirectory: /elsewhere/\ntasks: {w: {command: [a]}}", options));
}

TEST(JobFile, SurvivesEveryTruncationAndMutation) {
  const std::string text = good;
  for (size_t i = 0; i <= text.size(); ++i) {
    (void)parse_job_file(std::string_view{text}.substr(0, i), at_path());
    for (auto c : {'[', ':', '&', '*', '\0', '\xff', '\n', '{'}) {
      auto changed = text;
      changed.insert(i, 1, c);
      (void)parse_job_file(changed, at_path());
    }
  }
}

TEST(JobFile, DoesNotRepeatALongKeyWhole) {
  std::string key(100'000, 'k');
  for (const auto& text : {"{" + key + ": 1}", "{outputs: [../" + key + "]}",
                           "{tasks: {" + key + ": {" + key + ": 1}}, name: x}"}) {
    auto job = parse_job_file(text, at_path());
    ASSERT_FALSE(job);
    EXPECT_LT(job.error().text.size(), 400u);
  }
}

// Where each `${` looks as far as the last '}', this takes minutes.
TEST(JobFile, ReadsALongTextOfParametersThatDoNotEnd) {
  std::string open;
  while (open.size() < 1'000'000)
    open += "${";
  auto job = parse_job_file("name: x\ntasks: {w: {command: ['" + open + "}']}}", at_path());
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_EQ(job->tasks[0]->command[0].size(), open.size() + 1);
}

TEST(ParseSize, KnowsTheUnits) {
  EXPECT_EQ(*parse_size("512"), 512u);
  EXPECT_EQ(*parse_size("64MiB"), 64u << 20);
  EXPECT_EQ(*parse_size("2 GB"), 2'000'000'000u);
  for (auto* bad : {"", "GiB", "nan", "inf", "1e99 TB", "99999999999 TiB", "1 gib", "-1"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

const std::string shipping = R"(name: n
resources:
  - train.py
  - {path: ../data, name: d}
tasks:
  worker:
    command: [./train.py]
    resources:
      - {path: env.tar.gz, unpack: true, programs: bin}
      - {path: ., name: .}
  ps:
    command: [python3, train.py]
)";

TEST(JobFile, ReadsResources) {
  auto options = at_path();
  options.program_exists = [](auto& program, auto&) { return program == "python3"; };
  auto job = parse_job_file(shipping, options);
  ASSERT_TRUE(job) << job.error().text;
  auto shown = [](const task_type_msg& type) {
    std::string out;
    for (auto& x : type.resources)
      out.append(x->name).append("=").append(x->path).append(
        x->kind == resource_kind::archive ? "! " : " ");
    return out;
  };
  EXPECT_EQ(shown(*job->tasks[0]),
            "train.py=/data/train.py d=/data env=/data/env.tar.gz! .=/data ");
  EXPECT_EQ(shown(*job->tasks[1]), "train.py=/data/train.py d=/data ");
  EXPECT_EQ(job->tasks[0]->resources[2]->programs, "bin");
}

TEST(JobFile, NamesAnArchiveWithoutItsSuffix) {
  for (auto* suffix : {".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2"}) {
    auto text = std::string{"name: n\ntasks: {w: {command: x, resources: [{path: a.b"};
    text.append(suffix).append(", unpack: true}]}}\n");
    auto job = parse_job_file(text, at_path());
    ASSERT_TRUE(job) << job.error().text;
    EXPECT_EQ(job->tasks[0]->resources[0]->name, "a.b");
  }
}

TEST(JobFile, RefusesResourcesItCannotRead) {
  EXPECT_TRUE(has(text_of_error(shipping + "directory: src\n"),
                  {"directory", "has resources", "{path: src, name: .}"}));
  auto with = [](const std::string& what) {
    return "name: n\nresources: " + what + "\ntasks: {w: {command: x}}\n";
  };
  EXPECT_TRUE(has(text_of_error(with("train.py")), {"resources", "not a list"}));
  EXPECT_TRUE(has(text_of_error(with("[{name: x}]")), {"without a path"}));
  EXPECT_TRUE(has(text_of_error(with("[{path: x, unpack: yes}]")), {"unpack"}));
  EXPECT_TRUE(has(text_of_error(with("[{path: x, mode: 7}]")), {"mode"}));
}

} // namespace
} // namespace troupe
