// Each key of a job file: what it becomes, and that the guide has it. A key without a row fails.
#include "actors/jobs/job_reader.hpp"
#include "runtime/base/file_text.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace troupe {
namespace {

constexpr uint64_t second = 1'000'000'000;

using job_check = bool (*)(const job_spec_msg&);
using type_check = bool (*)(const task_type_msg&);

template <class Check>
struct row {
  std::string text; // of the value
  Check holds;
};

const std::map<std::string_view, row<job_check>> rows_of_job{
  {"name", {"other", [](auto& x) { return x.name == "other"; }}},
  {"directory", {"/else", [](auto& x) { return x.directory == "/else"; }}},
  {"resources",
   {"[venv.zip]",
    [](auto& x) {
      auto& all = x.tasks[0]->resources;
      return all.size() == 1 && all[0]->path == "/data/venv.zip";
    }}},
  {"inputs", {"[a]", [](auto& x) { return x.inputs == std::vector<std::string>{"/data/a"}; }}},
  {"outputs", {"[b]", [](auto& x) { return x.outputs == std::vector<std::string>{"b"}; }}},
  {"framework", {"pytorch", [](auto& x) { return x.framework == framework::pytorch; }}},
  {"attempts", {"7", [](auto& x) { return x.attempts_max == 7; }}},
  {"retries",
   {"{lost_node: 4, user_error: 0}",
    [](auto& x) {
      return x.retries.size() == 2 && x.retries[0]->cause == exit_class::lost_node
             && x.retries[0]->restarts == 4 && x.retries[1]->cause == exit_class::user_error
             && x.retries[1]->restarts == 0;
    }}},
  {"timeout", {"1 h", [](auto& x) { return x.timeout_ns == 3600 * second; }}},
  {"placement_timeout", {"20 s", [](auto& x) { return x.placement_timeout_ns == 20 * second; }}},
  {"register_timeout", {"30 s", [](auto& x) { return x.register_timeout_ns == 30 * second; }}},
  {"grace_period", {"500 ms", [](auto& x) { return x.grace_ns == second / 2; }}},
  {"checkpoints", {"saved/here", [](auto& x) { return x.checkpoints == "/data/saved/here"; }}},
  {"mode", {"fcfs", [](auto& x) { return x.each_when_ready; }}},
  {"end_rules",
   {"[{type: server, after: [worker], within: 9 s, ignore: true}]",
    [](auto& x) {
      if (x.end_rules.size() != 1)
        return false;
      auto& rule = *x.end_rules[0];
      return rule.type == "server" && rule.after == std::vector<std::string>{"worker"}
             && rule.within_ns == 9 * second && rule.ignore;
    }}},
  {"needs",
   {"[3, {job: 4, when: ended}]",
    [](auto& x) {
      return x.needs.size() == 2 && x.needs[0]->job == 3 && x.needs[0]->when == need_rule::succeeded
             && x.needs[1]->job == 4 && x.needs[1]->when == need_rule::ended;
    }}},
  {"array",
   {"{size: 9, at_once: 2}", [](auto& x) { return x.array == 9 && x.array_at_once == 2; }}},
  {"queue", {"vision", [](auto& x) { return x.queue == "vision"; }}},
  {"priority", {"high", [](auto& x) { return x.priority == priority_class::high; }}},
  {"trace_files", {"true", [](auto& x) { return x.trace_files; }}},
  {"tags",
   {"[nightly, 'a b']",
    [](auto& x) {
      return x.tags == std::vector<std::string>{"nightly", "a b"};
    }}},
};

const std::map<std::string_view, row<type_check>> rows_of_type{
  {"command",
   {"[a, b]",
    [](auto& x) {
      return x.command == std::vector<std::string>{"a", "b"};
    }}},
  {"instances", {"3", [](auto& x) { return x.instances == 3; }}},
  {"instances_min", {"1", [](auto& x) { return x.instances_min == 1; }}},
  {"cpus", {"5", [](auto& x) { return x.cpus == 5; }}},
  {"memory", {"2 GiB", [](auto& x) { return x.memory == uint64_t{2} << 30; }}},
  {"accelerators", {"2", [](auto& x) { return x.accelerators == 2; }}},
  {"image", {"python:3", [](auto& x) { return x.image == "python:3"; }}},
  {"mounts",
   {"[/a:/b:ro]", [](auto& x) { return x.mounts == std::vector<std::string>{"/a:/b:ro"}; }}},
  {"labels", {"[gpu]", [](auto& x) { return x.labels == std::vector<std::string>{"gpu"}; }}},
  {"env",
   {"{A: 1}",
    [](auto& x) { return x.env.size() == 1 && x.env[0]->name == "A" && x.env[0]->value == "1"; }}},
  {"role", {"untracked", [](auto& x) { return x.role == task_role::untracked; }}},
  {"on_failure", {"go_on", [](auto& x) { return x.go_on; }}},
  {"after", {"[server]", [](auto& x) { return x.after == std::vector<std::string>{"server"}; }}},
  {"timeout", {"8", [](auto& x) { return x.timeout_ns == 8 * second; }}},
  {"log_size", {"2 MiB", [](auto& x) { return x.log_bytes == 2 << 20; }}},
  {"ui", {"true", [](auto& x) { return x.ui; }}},
  {"resources",
   {"[{path: data.tar, name: set}]",
    [](auto& x) {
      return x.resources.size() == 1 && x.resources[0]->path == "/data/data.tar"
             && x.resources[0]->name == "set";
    }}},
};

// A job with two types, of which `worker` has the key, or the job.
std::string file_with(const std::string& of_job, const std::string& of_worker) {
  std::string out = of_job.starts_with("name:") ? "" : "name: probe\n";
  out += of_job + "tasks:\n  worker:\n";
  if (!of_worker.starts_with("    command:"))
    out += "    command: work\n";
  if (of_worker.starts_with("    instances_min:"))
    out += "    instances: 2\n";
  if (of_worker.starts_with("    mounts:"))
    out += "    image: python:3\n";
  return out + of_worker + "  server:\n    command: serve\n";
}

result<job_spec_msg> parse(const std::string& text) {
  job_file_options options;
  options.path = "/data/job.yaml";
  return parse_job_file(text, options);
}

// The rows of the table below a heading of the guide that begin with a name in code.
bool guide_has(const std::string& heading, const std::string& name) {
  static const auto guide = text_of_file("docs/jobs.md");
  auto begin = guide.find("## " + heading + "\n");
  auto table = guide.substr(begin, guide.find("\n## ", begin) - begin);
  std::istringstream lines{table};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("| ")
        && line.substr(0, line.find('|', 2)).find("`" + name + "`") != std::string::npos)
      return true;
  return false;
}

// `file_of`: a job file with these lines; `part_of`: what of the job a row is about.
template <class Keys, class Rows, class File, class Part>
void expect_rows(const Keys& keys, const Rows& rows, const std::string& heading, File file_of,
                 Part part_of) {
  auto plain = parse(file_of(""));
  ASSERT_TRUE(plain) << plain.error().text;
  for (auto& key : keys) {
    std::string name{key.name};
    auto known = rows.find(key.name);
    if (known == rows.end()) {
      ADD_FAILURE() << name << " has no row";
      continue;
    }
    auto& [text, holds] = known->second;
    auto job = parse(file_of(name + ": " + text + "\n"));
    ASSERT_TRUE(job) << name << ": " << job.error().text;
    EXPECT_TRUE(holds(part_of(*job)) && !holds(part_of(*plain))) << name;
    EXPECT_TRUE(guide_has(heading, name)) << name << " is not in docs/jobs.md";
  }
}

TEST(JobKeys, OfTheJobAreReadAndInTheGuide) {
  expect_rows(
    job_keys::of_job(), rows_of_job, "Keys of the job",
    [](const std::string& line) { return file_with(line, ""); },
    [](const job_spec_msg& job) -> auto& { return job; });
}

TEST(JobKeys, OfATaskTypeAreReadAndInTheGuide) {
  expect_rows(
    job_keys::of_type(), rows_of_type, "Keys of a task type",
    [](const std::string& line) { return file_with("", line.empty() ? line : "    " + line); },
    [](const job_spec_msg& job) -> auto& { return *job.tasks[0]; });
}

} // namespace
} // namespace troupe
