#include "actors/jobs/job_file.hpp"

#include "actors/jobs/quantities.hpp"
#include "actors/jobs/yaml_reader.hpp"

#include <filesystem>

namespace troupe {
namespace {

constexpr size_t text_max = 1 << 20;

// One parse of one file.
class reader : public yaml_reader {
public:
  explicit reader(const job_file_options& options)
    : yaml_reader(std::filesystem::path{options.path}.filename().string(), options.parameters),
      options_(options) {}

  result<job_spec_msg> read(std::string_view text) {
    if (text.size() > text_max)
      return {errc::invalid, file_ + ": the file is larger than 1 MiB: make it smaller"};
    auto root = YAML::Load(std::string{text});
    for (auto& change : options_.overrides)
      override_with(root, change);
    if (!failed())
      read_job(root);
    if (failed())
      return *failed();
    return std::move(job_);
  }

private:
  std::string absolute(const std::string& path, const std::string& base) const {
    return (std::filesystem::path{base} / path).lexically_normal().string();
  }

  void read_job(const YAML::Node& root) {
    static const keys allowed{
      "name",    "attempts", "directory",         "end_rules",        "framework", "inputs", "mode",
      "outputs", "retries",  "placement_timeout", "register_timeout", "tasks",     "timeout"};
    auto folder = std::filesystem::path{options_.path}.parent_path().string();
    job_.directory = folder;
    YAML::Node tasks;
    each_key(root, "", allowed, [&](auto& key, auto& value, auto& path) {
      if (key == "name")
        job_.name = text(value, path);
      else if (key == "directory")
        job_.directory = absolute(text(value, path), folder);
      else if (key == "inputs")
        job_.inputs = texts(value, path);
      else if (key == "outputs")
        read_outputs(value, path);
      else if (key == "tasks")
        tasks.reset(value);
      else
        read_rule(key, value, path);
    });
    if (job_.directory.size() > 1 && job_.directory.ends_with('/'))
      job_.directory.pop_back();
    for (auto& x : job_.inputs)
      x = absolute(x, job_.directory);
    if (job_.name.empty())
      return fail("name", root, "the key \"name\" is missing or empty: add `name: my-job`");
    if (!tasks.IsDefined() || tasks.IsNull() || (tasks.IsMap() && tasks.size() == 0))
      return fail("tasks", root,
                  "the key \"tasks\" is missing or empty: add at least one task type");
    each_key(tasks, "tasks", {},
             [&](auto& key, auto& value, auto& path) { read_type(key, value, path); });
  }

  // How the job runs, and how it ends.
  void read_rule(const std::string& key, const YAML::Node& value, const std::string& path) {
    if (key == "attempts")
      job_.attempts_max = number(value, path, 1);
    else if (key == "mode")
      job_.each_when_ready = choice(value, path, {"gang", "fcfs"}) == 1;
    else if (key == "framework")
      job_.framework = static_cast<framework>(
        choice(value, path, {"troupe", "tensorflow", "pytorch", "mxnet", "horovod", "standalone"}));
    else if (key == "timeout")
      job_.timeout_ns = time(value, path);
    else if (key == "placement_timeout")
      job_.placement_timeout_ns = time(value, path);
    else if (key == "register_timeout")
      job_.register_timeout_ns = time(value, path);
    else if (key == "retries")
      read_retries(value, path);
    else
      read_end_rules(value, path);
  }

  void read_retries(const YAML::Node& value, const std::string& path) {
    static const keys causes{"user_error", "out_of_memory", "preempted", "lost_node",
                             "infrastructure"};
    each_key(value, path, causes, [&](auto& key, auto& times, auto& below) {
      auto budget = std::make_unique<retry_budget_msg>();
      auto found = std::find(causes.begin(), causes.end(), key);
      budget->cause = static_cast<exit_class>(found - causes.begin());
      budget->restarts = number(times, below, 0);
      job_.retries.push_back(std::move(budget));
    });
  }

  void read_end_rules(const YAML::Node& value, const std::string& path) {
    if (!value.IsSequence())
      return fail(path, value, path + " is not a list: write one rule behind each `-`");
    for (auto item : value) {
      auto rule = std::make_unique<end_rule_msg>();
      each_key(item, path, {"type", "after", "within", "ignore"},
               [&](auto& key, auto& x, auto& below) {
                 if (key == "type")
                   rule->type = text(x, below);
                 else if (key == "after")
                   rule->after = texts(x, below);
                 else if (key == "within")
                   rule->within_ns = time(x, below);
                 else
                   rule->ignore = choice(x, below, {"false", "true"}) == 1;
               });
      job_.end_rules.push_back(std::move(rule));
    }
  }

  void read_outputs(const YAML::Node& value, const std::string& path) {
    job_.outputs = texts(value, path);
    for (auto& x : job_.outputs) {
      auto normal = std::filesystem::path{x}.lexically_normal();
      if (x.empty() || normal.is_absolute() || *normal.begin() == "..")
        fail(path, value,
             "output \"" + x.substr(0, text_shown)
               + "\" is not below the job's output directory: give a "
                 "relative path without \"..\"");
    }
  }

  void read_type(const std::string& name, const YAML::Node& node, const std::string& path) {
    static const keys allowed{"instances", "cpus", "memory",     "accelerators", "env",
                              "command",   "role", "on_failure", "after",        "timeout"};
    auto type = std::make_unique<task_type_msg>();
    type->name = name;
    each_key(node, path, allowed, [&](auto& key, auto& value, auto& below) {
      if (key == "instances")
        type->instances = number(value, below, 1);
      else if (key == "cpus")
        type->cpus = number(value, below, 1);
      else if (key == "accelerators")
        type->accelerators = number(value, below, 0);
      else if (key == "memory")
        type->memory = memory(value, below);
      else if (key == "env")
        read_env(value, below, *type);
      else if (key == "command")
        read_command(value, below, *type);
      else
        read_part(key, value, below, *type);
    });
    if (!failed() && type->command.empty())
      fail(path, node, path + " has no command: add `command: [program, argument]`");
    job_.tasks.push_back(std::move(type));
  }

  // The part that a type plays in its job.
  void read_part(const std::string& key, const YAML::Node& value, const std::string& path,
                 task_type_msg& type) {
    if (key == "role")
      type.role = static_cast<task_role>(choice(value, path, {"tracked", "untracked", "sidecar"}));
    else if (key == "on_failure")
      type.go_on = choice(value, path, {"stop", "go_on"}) == 1;
    else if (key == "after")
      type.after = texts(value, path);
    else
      type.timeout_ns = time(value, path);
  }

  uint64_t time(const YAML::Node& value, const std::string& path) {
    auto length = parse_duration(text(value, path));
    if (length && *length > duration{})
      return static_cast<uint64_t>(length->count());
    fail(path, value, path + " " + (length ? "is no time: give one above 0" : length.error().text));
    return 0;
  }

  uint64_t memory(const YAML::Node& value, const std::string& path) {
    auto size = parse_size(text(value, path));
    if (size)
      return *size;
    fail(path, value, path + " " + size.error().text);
    return 0;
  }

  void read_env(const YAML::Node& value, const std::string& path, task_type_msg& type) {
    each_key(value, path, {}, [&](auto& key, auto& content, auto& below) {
      auto variable = std::make_unique<variable_msg>();
      variable->name = key;
      variable->value = text(content, below);
      if (key.empty() || key.find('=') != std::string::npos)
        fail(below, content, "\"" + below + "\" cannot be a variable: leave out the '='");
      type.env.push_back(std::move(variable));
    });
  }

  void read_command(const YAML::Node& value, const std::string& path, task_type_msg& type) {
    if (value.IsScalar() && !value.Scalar().empty()) {
      type.command = {"/bin/sh", "-c", text(value, path)};
      return;
    }
    if (!value.IsSequence() || value.size() == 0)
      return fail(path, value,
                  path
                    + " is empty or neither a list nor a text: write [program, "
                      "argument]");
    type.command = texts(value, path);
    if (failed())
      return;
    auto& program = type.command[0];
    if (program.empty())
      return fail(path, value, path + " names no program: write [program, argument]");
    programs_.push_back({path, value, program});
  }

public:
  // After the whole file is read: `directory` may stand behind the tasks.
  void check_programs(job_spec_msg& job) {
    if (options_.program_exists)
      for (auto& x : programs_)
        if (!options_.program_exists(x.program, job.directory))
          fail(x.path, x.at,
               "program not found: \"" + x.program.substr(0, text_shown) + "\" of " + x.path
                 + ": give a path that exists, seen from " + job.directory
                 + ", or a program on the PATH");
  }

private:
  struct program_use {
    std::string path;
    YAML::Node at;
    std::string program;
  };

  const job_file_options& options_;
  std::vector<program_use> programs_;
  job_spec_msg job_;
};

} // namespace

result<job_spec_msg> parse_job_file(std::string_view text, const job_file_options& options) {
  auto file = std::filesystem::path{options.path}.filename().string();
  try {
    reader input{options};
    auto out = input.read(text);
    if (!out)
      return out;
    input.check_programs(*out);
    if (input.failed())
      return *input.failed();
    return out;
  } catch (const YAML::Exception& x) {
    auto line = x.mark.is_null() ? 1 : x.mark.line + 1;
    return {errc::invalid, file + ":" + std::to_string(line) + ": this is not YAML (" + x.msg
                             + "): correct this line"};
  } catch (const std::exception& x) {
    return {errc::invalid, file + ": the file cannot be read (" + x.what() + "): correct it"};
  }
}

} // namespace troupe
