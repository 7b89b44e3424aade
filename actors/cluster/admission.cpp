#include "actors/cluster/admission.hpp"

#include "actors/jobs/job_rules.hpp"
#include "actors/jobs/task_image.hpp"
#include "actors/packages/resource_rules.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

namespace troupe {
namespace {

constexpr uint64_t tasks_max = 4096;
constexpr size_t user_max = 256;       // bytes
constexpr size_t path_max = 1024;      // bytes
constexpr size_t last_part_max = 255;  // bytes of a file's name
constexpr size_t paths_max = 64 << 10; // bytes of all inputs, or of all outputs

error bad(std::string text) {
  return {errc::invalid, std::move(text)};
}

std::string name_rule(const std::string& what, const std::string& name) {
  return what + " \"" + printable(name)
         + "\" is not a name: use up to 128 letters, digits, '_', '-' and '.'";
}

bool has_control(const std::string& x) {
  return std::any_of(x.begin(), x.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

bool has_zero(const std::string& x) {
  return x.find('\0') != std::string::npos;
}

bool is_path(const std::string& x) {
  return !x.empty() && x.size() <= path_max && !has_control(x)
         && std::filesystem::path{x}.filename().native().size() <= last_part_max;
}

bool is_absolute(const std::string& x) {
  return is_path(x) && x.front() == '/';
}

bool is_below(const std::string& x) {
  auto normal = std::filesystem::path{x}.lexically_normal();
  return is_path(x) && normal.is_relative() && *normal.begin() != "..";
}

// The paths of `what`, each of which has to be `kind`.
result<void> admit_paths(const std::string& what, const std::vector<std::string>& paths,
                         const std::string& kind, bool (*fits)(const std::string&)) {
  size_t bytes = 0;
  for (auto& x : paths) {
    bytes += x.size() + 1;
    if (!fits(x))
      return bad(what + " \"" + printable(x) + "\" is no " + kind
                 + ": give one of up to 1024 bytes, 255 in its last part, and without control "
                   "characters");
  }
  if (bytes > paths_max)
    return bad("every " + what + " of the job together has " + std::to_string(bytes)
               + " bytes: give fewer, at most 64 KiB");
  return {};
}

result<void> admit_command(const task_type_msg& x) {
  auto where = "task type \"" + x.name + "\" ";
  if (x.command.empty() || x.command[0].empty())
    return bad(where + "has no command: give a program and its arguments");
  if (std::any_of(x.command.begin(), x.command.end(), has_zero))
    return bad(where + "has a command with a zero byte: leave it out");
  for (auto& variable : x.env) {
    if (!variable || variable->name.empty() || variable->name.find('=') != std::string::npos)
      return bad(where + "has an environment variable without a usable name: give it one");
    if (has_zero(variable->name) || has_zero(variable->value))
      return bad(where + "has an environment variable with a zero byte: leave it out");
  }
  return {};
}

result<void> check_type(const task_type_msg& x) {
  if (!is_name(x.name))
    return bad(name_rule("task type", x.name));
  auto where = "task type \"" + x.name + "\" ";
  if (x.instances == 0)
    return bad(where + "has no instances: give at least 1");
  if (x.cpus == 0)
    return bad(where + "asks for no cpus: give at least 1");
  for (auto& label : x.labels)
    if (!is_name(label))
      return bad(name_rule("label", label));
  return admit_command(x);
}

result<void> admit_type(const task_type_msg& x, const inventory& nodes) {
  if (auto shipped = check_shipped(x.resources); !shipped)
    return bad("task type \"" + x.name + "\" is refused: " + shipped.error().text);
  if (auto misfit = nodes.misfit(x); !misfit.empty())
    return bad(misfit);
  return {};
}

} // namespace

bool is_name(const std::string& x) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-' || c == '.';
  };
  return !x.empty() && x.size() <= 128 && x[0] != '.' && std::all_of(x.begin(), x.end(), allowed);
}

resources demand_of(const task_type_msg& x) {
  return {x.cpus, x.memory, x.accelerators};
}

node_labels labels_of(const task_type_msg& x) {
  auto out = x.labels;
  if (!x.image.empty())
    out.emplace_back(images_label);
  return out;
}

result<void> check_job(const job_spec_msg& spec) {
  if (!is_name(spec.name))
    return bad(name_rule("job", spec.name));
  if (!spec.queue.empty() && !is_name(spec.queue))
    return bad(name_rule("queue", spec.queue));
  if (spec.attempts_max == 0)
    return bad("the job may never be started: give attempts of at least 1");
  if (!spec.directory.empty() && !is_absolute(spec.directory))
    return bad("the directory \"" + printable(spec.directory)
               + "\" is no absolute path: give one of up to 1024 bytes");
  if (!spec.checkpoints.empty() && !is_absolute(spec.checkpoints))
    return bad("the directory of checkpoints \"" + printable(spec.checkpoints)
               + "\" is no absolute path: give one of up to 1024 bytes");
  TROUPE_TRY(admit_paths("input", spec.inputs, "absolute path", is_absolute));
  TROUPE_TRY(
    admit_paths("output", spec.outputs, "path below the job's output directory", is_below));
  if (spec.tasks.empty())
    return bad("the job has no tasks: give at least one task type");
  std::set<std::string> names;
  uint64_t count = 0;
  for (auto& type : spec.tasks) {
    if (!type)
      return bad("the job has an empty task type: leave it out");
    TROUPE_TRY(check_type(*type));
    if (!names.insert(type->name).second)
      return bad("two task types are named \"" + type->name + "\": rename one");
    count += type->instances;
  }
  if (count > tasks_max)
    return bad("the job has " + std::to_string(count) + " tasks: at most "
               + std::to_string(tasks_max) + " are possible");
  return check_rules(spec);
}

result<void> admit(const submit_job_msg& x, const inventory& nodes) {
  if (!x.spec)
    return bad("the submission has no job: send one");
  if (x.user.size() > user_max || has_control(x.user))
    return bad("user \"" + printable(x.user)
               + "\" is no name of a user: give up to 256 bytes without control characters");
  TROUPE_TRY(check_job(*x.spec));
  for (auto& type : x.spec->tasks)
    TROUPE_TRY(admit_type(*type, nodes));
  return {};
}

} // namespace troupe
