#include "actors/cluster/admission.hpp"

#include <algorithm>
#include <set>

namespace troupe {
namespace {

constexpr uint64_t tasks_max = 4096;

bool is_name(const std::string& x) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-' || c == '.';
  };
  return !x.empty() && x.size() <= 128 && x[0] != '.' && std::all_of(x.begin(), x.end(), allowed);
}

error bad(std::string text) {
  return {errc::invalid, std::move(text)};
}

std::string name_rule(const std::string& what, const std::string& name) {
  return what + " \"" + name.substr(0, 40)
         + "\" is not a name: use up to 128 letters, digits, '_', '-' and '.'";
}

result<void> admit_type(const task_type_msg& x, const inventory& nodes) {
  auto where = "task type \"" + x.name + "\" ";
  if (!is_name(x.name))
    return bad(name_rule("task type", x.name));
  if (x.instances == 0)
    return bad(where + "has no instances: give at least 1");
  if (x.cpus == 0)
    return bad(where + "asks for no cpus: give at least 1");
  if (x.command.empty() || x.command[0].empty())
    return bad(where + "has no command: give a program and its arguments");
  for (auto& variable : x.env)
    if (!variable || variable->name.empty() || variable->name.find('=') != std::string::npos)
      return bad(where + "has an environment variable without a usable name: give it one");
  if (auto misfit = nodes.misfit(x.name, demand_of(x)); !misfit.empty())
    return bad(misfit);
  return {};
}

} // namespace

resources demand_of(const task_type_msg& x) {
  return {x.cpus, x.memory, x.accelerators};
}

result<void> admit(const job_spec_msg& spec, const inventory& nodes) {
  if (!is_name(spec.name))
    return bad(name_rule("job", spec.name));
  if (spec.attempts_max == 0)
    return bad("the job may never be started: give attempts of at least 1");
  if (spec.tasks.empty())
    return bad("the job has no tasks: give at least one task type");
  std::set<std::string> names;
  uint64_t count = 0;
  for (auto& type : spec.tasks) {
    if (!type)
      return bad("the job has an empty task type: leave it out");
    TROUPE_TRY(admit_type(*type, nodes));
    if (!names.insert(type->name).second)
      return bad("two task types are named \"" + type->name + "\": rename one");
    count += type->instances;
  }
  if (count > tasks_max)
    return bad("the job has " + std::to_string(count) + " tasks: at most "
               + std::to_string(tasks_max) + " are possible");
  return {};
}

} // namespace troupe
