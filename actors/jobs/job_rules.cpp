#include "actors/jobs/job_rules.hpp"

#include "actors/jobs/quantities.hpp"
#include "actors/jobs/task_image.hpp"
#include "actors/packages/resource_rules.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace troupe {
namespace {

constexpr uint32_t array_max = 10'000;
constexpr size_t needs_max = 1000;
constexpr uint64_t memory_min = 1 << 20; // bytes; no program starts in less
constexpr size_t tags_max = 32;
constexpr size_t tag_max = 100; // bytes, as YARN has it

using types_by_name = std::map<std::string, const task_type_msg*>;

error bad(std::string text) {
  return {errc::invalid, std::move(text)};
}

std::string quoted(const std::string& x) {
  return std::string{'"'}.append(x, 0, 128).append(1, '"');
}

result<void> check_time(const std::string& what, uint64_t ns) {
  if (ns > static_cast<uint64_t>(duration{longest_time}.count()))
    return bad(what + " is longer than ten years: give a shorter one");
  return {};
}

result<void> check_order(const task_type_msg& type, const types_by_name& types) {
  for (auto& name : type.after) {
    auto found = types.find(name);
    if (found == types.end())
      return bad("task type " + quoted(type.name) + " comes after " + quoted(name)
                 + ", which the job does not have: correct the name");
    if (found->second->role != task_role::tracked)
      return bad("task type " + quoted(type.name) + " comes after " + quoted(name)
                 + ", which is not tracked and need never end: give one that is");
  }
  return {};
}

// Takes away the types whose predecessors are all gone, until none is left, or a cycle.
result<void> check_no_cycle(types_by_name left) {
  while (!left.empty()) {
    auto first = std::find_if(left.begin(), left.end(), [&](auto& x) {
      auto& after = x.second->after;
      return std::none_of(after.begin(), after.end(),
                          [&](auto& name) { return left.contains(name); });
    });
    if (first == left.end())
      return bad("task type " + quoted(left.begin()->first)
                 + " comes after itself, by way of others or not: break the cycle");
    left.erase(first);
  }
  return {};
}

result<void> check_end_rule(const end_rule_msg& rule, const types_by_name& types) {
  auto known = [&](const std::string& name) { return types.contains(name); };
  if (!known(rule.type) || rule.after.empty()
      || !std::all_of(rule.after.begin(), rule.after.end(), known))
    return bad("an end rule for " + quoted(rule.type)
               + " names no types of the job: give `type` and `after`");
  if (std::find(rule.after.begin(), rule.after.end(), rule.type) != rule.after.end())
    return bad("the end rule for " + quoted(rule.type) + " waits for that type itself: leave it "
               + "out of `after`");
  if (rule.within_ns == 0)
    return bad("the end rule for " + quoted(rule.type) + " leaves no time: give `within`");
  return check_time("the time of the end rule for " + quoted(rule.type), rule.within_ns);
}

result<void> check_files(const task_type_msg& type) {
  if (type.image.empty() && !type.mounts.empty())
    return bad("task type " + quoted(type.name)
               + " has mounts and no image: it sees all files of its node, leave them out");
  if (!type.image.empty())
    if (auto right = check_image(type.image); !right)
      return bad("the image of task type " + quoted(type.name) + ": " + right.error().text);
  for (auto& each : type.mounts)
    if (auto mount = parse_mount(each); !mount)
      return bad("a mount of task type " + quoted(type.name) + ": " + mount.error().text);
  return {};
}

result<void> check_size(const task_type_msg& type) {
  if (type.instances_min > type.instances)
    return bad("task type " + quoted(type.name) + " may have " + std::to_string(type.instances)
               + " instances and not fewer than " + std::to_string(type.instances_min)
               + ": give an instances_min of at most that");
  if (type.memory != 0 && type.memory < memory_min)
    return bad(
      "task type " + quoted(type.name) + " has " + std::to_string(type.memory)
      + " bytes of memory, in which no program runs: give at least 1 MiB, such as 512 MiB");
  return {};
}

result<void> check_array(const job_spec_msg& spec) {
  if (spec.array > array_max)
    return bad("the array has " + std::to_string(spec.array) + " jobs: at most "
               + std::to_string(array_max) + " are possible");
  if (spec.array_at_once != 0 && spec.array == 0)
    return bad("a job that is no array has no limit of jobs at once: leave it out");
  return {};
}

result<void> check_needs(const job_spec_msg& spec) {
  if (spec.needs.size() > needs_max)
    return bad("the job needs " + std::to_string(spec.needs.size()) + " jobs: at most "
               + std::to_string(needs_max) + " are possible");
  for (auto& need : spec.needs)
    if (!need || need->job == 0 || need->when > need_rule::MAX)
      return bad("the job needs a job without a number, or in an unknown way: give `job` and "
                 "`when`");
  return {};
}

result<void> check_tags(const job_spec_msg& spec) {
  auto plain = [](char c) { return c >= ' ' && c <= '~' && c != ','; };
  if (spec.tags.size() > tags_max)
    return bad("the job has " + std::to_string(spec.tags.size()) + " tags: at most "
               + std::to_string(tags_max) + " are possible");
  for (auto& x : spec.tags)
    if (x.empty() || x.size() > tag_max || !std::all_of(x.begin(), x.end(), plain))
      return bad(quoted(printable(x))
                 + " is no tag: give up to 100 characters of ASCII, without a comma");
  return {};
}

// A framework whose tasks have to know each other when they start.
result<void> check_complete_gang(const job_spec_msg& spec) {
  if (spec.each_when_ready)
    return bad(std::string{"framework "}.append(EnumNameframework(spec.framework))
               + " has to know its whole gang when a task starts: leave out the mode fcfs");
  return {};
}

result<void> check_framework(const job_spec_msg& spec, const types_by_name& types) {
  auto instances = [&](const std::string& name) {
    auto found = types.find(name);
    return found == types.end() ? 0u : found->second->instances;
  };
  if (spec.framework > framework::MAX)
    return bad("the job has an unknown framework: update this cluster");
  if (spec.framework == framework::horovod) {
    if (instances("worker") == 0 || types.at("worker")->role != task_role::tracked)
      return bad("framework horovod needs a tracked task type \"worker\", whose first task is rank "
                 "0: give one");
    if (auto driver = types.find("driver");
        driver != types.end()
        && (driver->second->role == task_role::tracked || driver->second->instances != 1))
      return bad("the type \"driver\" of framework horovod serves the rendezvous and need never "
                 "end: make it one untracked task");
    return check_complete_gang(spec);
  }
  if (spec.framework == framework::standalone
      && (spec.tasks.size() != 1 || spec.tasks[0]->instances != 1))
    return bad("framework standalone is for exactly one task: give one type with one instance, or "
               "another framework");
  if (spec.framework == framework::pytorch) {
    if (instances("worker") == 0 || types.at("worker")->role != task_role::tracked)
      return bad("framework pytorch needs a tracked task type \"worker\", whose first task is rank "
                 "0: give one");
    return check_complete_gang(spec);
  }
  if (spec.framework == framework::mpi) {
    for (auto& [name, type] : types)
      if (!type->image.empty())
        return bad(
          "framework mpi starts its daemons with a program of the node, which no image has: "
          "leave the image of task type "
          + quoted(name) + " out");
    auto first = instances("chief") != 0 ? "chief" : "worker";
    if (instances(first) == 0 || types.at(first)->role != task_role::tracked)
      return bad(
        "framework mpi needs a tracked task type \"worker\" or \"chief\", whose first task "
        "runs mpirun: give one");
    return check_complete_gang(spec);
  }
  if (spec.framework == framework::mxnet) {
    if (instances("scheduler") != 1 || instances("worker") == 0)
      return bad("framework mxnet needs one task of type \"scheduler\", and a type \"worker\": "
                 "give both");
    return check_complete_gang(spec);
  }
  return {};
}

} // namespace

result<void> check_rules(const job_spec_msg& spec) {
  types_by_name types;
  for (auto& type : spec.tasks)
    types[type->name] = type.get();
  auto tracked = [](auto& x) { return x.second->role == task_role::tracked; };
  if (std::none_of(types.begin(), types.end(), tracked))
    return bad("no task type of the job is tracked, so that it would end at once: give one");
  for (auto& [name, type] : types) {
    if (type->role > task_role::MAX)
      return bad("task type " + quoted(name) + " has an unknown role: update this cluster");
    TROUPE_TRY(check_order(*type, types));
    TROUPE_TRY(check_size(*type));
    TROUPE_TRY(check_files(*type));
    if (auto known = check_resources(type->resources); !known)
      return bad("task type " + quoted(name) + ": " + known.error().text);
    TROUPE_TRY(check_time("the time-out of task type " + quoted(name), type->timeout_ns));
  }
  TROUPE_TRY(check_no_cycle(types));
  TROUPE_TRY(check_framework(spec, types));
  std::set<exit_class> causes;
  for (auto& budget : spec.retries)
    if (!budget || budget->cause > exit_class::MAX || !causes.insert(budget->cause).second)
      return bad("a cause of restarts comes twice, or is unknown: give each once");
  for (auto& rule : spec.end_rules) {
    if (!rule)
      return bad("the job has an empty end rule: leave it out");
    TROUPE_TRY(check_end_rule(*rule, types));
  }
  if (spec.priority > priority_class::MAX)
    return bad("the job has an unknown priority: update this cluster");
  TROUPE_TRY(check_array(spec));
  TROUPE_TRY(check_needs(spec));
  TROUPE_TRY(check_tags(spec));
  TROUPE_TRY(check_time("the grace period", spec.grace_ns));
  TROUPE_TRY(check_time("the time-out of the job", spec.timeout_ns));
  TROUPE_TRY(check_time("the time-out of its placement", spec.placement_timeout_ns));
  return check_time("the time-out of its registration", spec.register_timeout_ns);
}

} // namespace troupe
