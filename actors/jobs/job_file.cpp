#include "actors/jobs/job_file.hpp"

#include "actors/jobs/job_reader.hpp"
#include "actors/jobs/job_rules.hpp"
#include "actors/jobs/quantities.hpp"

#include <filesystem>

namespace troupe {
namespace {

constexpr size_t text_max = 1 << 20;

template <class Key>
std::vector<std::string_view> names_of(const std::vector<Key>& table) {
  std::vector<std::string_view> out;
  for (auto& x : table)
    out.push_back(x.name);
  return out;
}

template <class Key>
const Key& row_of(const std::vector<Key>& table, std::string_view name) {
  return *std::find_if(table.begin(), table.end(), [&](auto& x) { return x.name == name; });
}

} // namespace

job_reader::job_reader(const job_file_options& options)
  : yaml_reader(std::filesystem::path{options.path}.filename().string(), options.parameters),
    options_(options), folder_(std::filesystem::path{options.path}.parent_path().string()) {}

result<job_spec_msg> job_reader::read(std::string_view text) {
  if (text.size() > text_max)
    return {errc::invalid, file_ + ": the file is larger than 1 MiB: make it smaller"};
  auto root = YAML::Load(std::string{text});
  for (auto& change : options_.overrides)
    override_with(root, change);
  if (!failed())
    read_job(root);
  if (!failed() && options_.program_exists)
    check_programs();
  if (failed())
    return *failed();
  return std::move(job_);
}

std::string job_reader::absolute(const std::string& path, const std::string& base) const {
  return (std::filesystem::path{base} / path).lexically_normal().string();
}

void job_reader::read_job(const YAML::Node& root) {
  static const auto allowed = [] {
    auto out = names_of(job_keys::of_job());
    out.emplace_back("tasks");
    return out;
  }();
  job_.directory = folder_;
  YAML::Node tasks;
  each_key(root, "", allowed, [&](auto& key, auto& value, auto& path) {
    if (key == "tasks")
      tasks.reset(value);
    else
      row_of(job_keys::of_job(), key).read(*this, value, path);
  });
  if (job_.directory.size() > 1 && job_.directory.ends_with('/'))
    job_.directory.pop_back();
  for (auto& x : job_.inputs)
    x = absolute(x, job_.directory);
  if (job_.name.empty())
    return fail("name", root, "the key \"name\" is missing or empty: add `name: my-job`");
  if (!tasks.IsDefined() || tasks.IsNull() || (tasks.IsMap() && tasks.size() == 0))
    return fail("tasks", root, "the key \"tasks\" is missing or empty: add at least one task type");
  each_key(tasks, "tasks", {},
           [&](auto& key, auto& value, auto& path) { read_type(key, value, path); });
  share_resources();
}

void job_reader::read_type(const std::string& name, const YAML::Node& node,
                           const std::string& path) {
  static const auto allowed = names_of(job_keys::of_type());
  auto type = std::make_unique<task_type_msg>();
  type->name = name;
  each_key(node, path, allowed, [&](auto& key, auto& value, auto& below) {
    row_of(job_keys::of_type(), key).read(*this, value, below, *type);
  });
  if (!failed() && type->command.empty())
    fail(path, node, path + " has no command: add `command: [program, argument]`");
  job_.tasks.push_back(std::move(type));
}

void job_reader::read_retries(const YAML::Node& value, const std::string& path) {
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

void job_reader::read_end_rules(const YAML::Node& value, const std::string& path) {
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

void job_reader::read_needs(const YAML::Node& value, const std::string& path) {
  if (!value.IsSequence())
    return fail(path, value, path + " is not a list: write [12], or [{job: 12, when: ended}]");
  for (auto item : value) {
    auto need = std::make_unique<job_need_msg>();
    if (item.IsMap())
      each_key(item, path, {"job", "when"}, [&](auto& key, auto& x, auto& below) {
        if (key == "job")
          need->job = number(x, below, 1);
        else
          need->when = static_cast<need_rule>(choice(x, below, {"succeeded", "failed", "ended"}));
      });
    else
      need->job = number(item, path, 1);
    if (!failed() && need->job == 0)
      fail(path, item, path + " names no job: write {job: 12}");
    job_.needs.push_back(std::move(need));
  }
}

void job_reader::read_array(const YAML::Node& value, const std::string& path) {
  if (!value.IsMap()) {
    job_.array = number(value, path, 1);
    return;
  }
  each_key(value, path, {"size", "at_once"}, [&](auto& key, auto& x, auto& below) {
    (key == "size" ? job_.array : job_.array_at_once) = number(x, below, 1);
  });
  if (!failed() && job_.array == 0)
    fail(path, value, path + " has no size: write {size: 10, at_once: 3}");
}

void job_reader::read_outputs(const YAML::Node& value, const std::string& path) {
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

uint64_t job_reader::time(const YAML::Node& value, const std::string& path) {
  auto length = parse_duration(text(value, path));
  if (length && *length > duration{})
    return static_cast<uint64_t>(length->count());
  fail(path, value, path + " " + (length ? "is no time: give one above 0" : length.error().text));
  return 0;
}

uint64_t job_reader::size(const YAML::Node& value, const std::string& path) {
  auto bytes = parse_size(text(value, path));
  if (bytes)
    return *bytes;
  fail(path, value, path + " " + bytes.error().text);
  return 0;
}

uint64_t job_reader::size_above_0(const YAML::Node& value, const std::string& path) {
  auto bytes = size(value, path);
  if (bytes == 0 && !failed())
    fail(path, value, path + " is nothing: give a size above 0");
  return bytes;
}

void job_reader::read_env(const YAML::Node& value, const std::string& path, task_type_msg& type) {
  each_key(value, path, {}, [&](auto& key, auto& content, auto& below) {
    auto variable = std::make_unique<variable_msg>();
    variable->name = key;
    variable->value = text(content, below);
    if (key.empty() || key.find('=') != std::string::npos)
      fail(below, content, "\"" + below + "\" cannot be a variable: leave out the '='");
    type.env.push_back(std::move(variable));
  });
}

void job_reader::read_command(const YAML::Node& value, const std::string& path,
                              task_type_msg& type) {
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
  programs_.push_back({path, value, program, type.name});
}

// After the whole file is read: `directory` may stand behind the tasks.
void job_reader::check_programs() {
  for (auto& x : programs_)
    if (!may_be_shipped(x) && !options_.program_exists(x.program, job_.directory))
      fail(x.path, x.at,
           "program not found: \"" + x.program.substr(0, text_shown) + "\" of " + x.path
             + ": give a path that exists, seen from " + job_.directory
             + ", or a program on the PATH");
}

result<job_spec_msg> parse_job_file(std::string_view text, const job_file_options& options) {
  auto file = std::filesystem::path{options.path}.filename().string();
  try {
    job_reader input{options};
    auto job = input.read(text);
    if (!job)
      return job;
    if (auto ruled = check_rules(*job); !ruled)
      return {errc::invalid, file + ": " + ruled.error().text};
    return job;
  } catch (const YAML::Exception& x) {
    auto line = x.mark.is_null() ? 1 : x.mark.line + 1;
    return {errc::invalid, file + ":" + std::to_string(line) + ": this is not YAML (" + x.msg
                             + "): correct this line"};
  } catch (const std::exception& x) {
    return {errc::invalid, file + ": the file cannot be read (" + x.what() + "): correct it"};
  }
}

std::vector<job_file_key> job_file_keys() {
  std::vector<job_file_key> out;
  auto add = [&](const std::string& where, const auto& table) {
    for (auto& x : table) {
      auto name = where + std::string{x.name};
      out.push_back({name, std::string{x.value}, std::string{x.meaning}});
      for (auto& below : job_keys::inside(x.name))
        out.push_back({name + below.name, below.value, below.meaning});
    }
  };
  add("", job_keys::of_job());
  out.push_back({"tasks", "{type: keys}", "the task types, by name; needed"});
  add("tasks.TYPE.", job_keys::of_type());
  return out;
}

} // namespace troupe
