// What the ledger knows of gangs that change their members while they run.
#include "tests/sim/job_ledger.hpp"

namespace troupe::testing {

// Whether some joined: each had found its agent.
bool job_ledger::check_joined(const gang_regrouped_msg& x, job_record& job) {
  for (auto& [name, task] : job.tasks)
    if (!task.left && task.generation == x.generation)
      task.generation = x.generation + 1;
  for (auto& each : x.joined) {
    auto name = task_name(each->type, each->index);
    auto& task = job.tasks[name];
    if (task.generation != x.generation + 1 || task.ended
        || (!replaying_ && !truths_[key_of(x.job, x.attempt, name)].connected))
      violated(name + " joins " + attempt_name(x.job, x.attempt) + " and was not there");
    task.generation = x.generation;
  }
  return !x.joined.empty();
}

// Whether a member was left out: by its own fault none is.
bool job_ledger::check_left(const gang_regrouped_msg& x, job_record& job) {
  auto some = false;
  for (auto& [name, task] : job.tasks) {
    if (task.left || !task.ended || task.state == task_state::succeeded)
      continue;
    auto& type = *type_of(*job.submitted.spec, name.substr(0, name.find(':')));
    auto member = task.generation <= job.generation;
    if (member && !type.regroup && type.role != task_role::sidecar && !type.go_on)
      violated(attempt_name(x.job, x.attempt) + " goes on without " + name);
    some = some || member;
    task.left = true;
  }
  return some;
}

// Whether each member that lives and does not stand still has said that it waits.
bool job_ledger::all_await(uint64_t id, const job_record& job) const {
  return std::all_of(job.tasks.begin(), job.tasks.end(), [&](auto& each) {
    auto& [name, task] = each;
    auto& type = *type_of(*job.submitted.spec, name.substr(0, name.find(':')));
    auto real = truths_.find(key_of(id, job.attempt, name));
    if (!job.has(task) || task.ended || !type.regroup || real == truths_.end()
        || real->second.frozen || real->second.code)
      return true;
    return awaited(task_of(id, job.attempt, name)) == job.generation;
  });
}

void job_ledger::apply(const gang_regrouped_msg& x) {
  auto* job = current(x.job, x.attempt, "a generation");
  if (!job)
    return;
  if (x.generation != job->generation + 1 || job->state != job_state::running || job->stopping)
    violated("generation " + std::to_string(x.generation) + " of " + attempt_name(x.job, x.attempt)
             + " follows " + std::to_string(job->generation) + ", or does not run");
  auto left = check_left(x, *job);
  auto joined = check_joined(x, *job);
  if (!left && !joined && !replaying_ && !all_await(x.job, *job))
    violated(attempt_name(x.job, x.attempt) + " regroups and nothing has changed");
  job->generation = x.generation;
  std::map<std::string, uint32_t> alive;
  for (auto& [name, task] : job->tasks)
    if (job->has(task)) {
      job->members[x.generation].insert(name);
      alive[name.substr(0, name.find(':'))] += task.ended ? 0 : 1;
    }
  for (auto& type : job->submitted.spec->tasks) {
    auto least = type->instances_min != 0 ? type->instances_min : type->instances;
    if (left && type->regroup && alive.contains(type->name) && alive[type->name] < least)
      violated(attempt_name(x.job, x.attempt) + " goes on with too few of type " + type->name);
  }
}

// The names of the other members that run in a generation, of types that regroup.
std::vector<std::string> job_ledger::fellows_of(const task_id_msg& task,
                                                uint32_t generation) const {
  std::vector<std::string> out;
  auto* job = find(task.job);
  if (!job || job->attempt != task.attempt)
    return out;
  for (auto& [name, each] : job->tasks) {
    auto known = job->members.find(generation);
    auto member = known == job->members.end() ? each.generation == 0 && generation == 0
                                              : known->second.contains(name);
    auto& type = *type_of(*job->submitted.spec, name.substr(0, name.find(':')));
    if (member && type.regroup && !each.left && name != task_name(task.type, task.index))
      out.push_back(name);
  }
  return out;
}

std::optional<uint32_t> job_ledger::awaited(const task_id_msg& task) const {
  auto mine = truths_.find(task_key(task));
  if (mine == truths_.end() || !mine->second.started || mine->second.frozen || mine->second.code)
    return {};
  auto generation = mine->second.generation;
  auto fellows = fellows_of(task, generation);
  auto* job = find(task.job);
  auto parted = job && job->parted == task.attempt && generation == 0 && !fellows.empty();
  auto frozen = [&](const std::string& name) {
    auto other = truths_.find(key_of(task.job, task.attempt, name));
    return other != truths_.end() && other->second.frozen;
  };
  if (!parted && std::none_of(fellows.begin(), fellows.end(), frozen))
    return {};
  return generation;
}

bool job_ledger::is_awaited(const task_id_msg& task) const {
  auto known = truths_.find(task_key(task));
  auto fellows = fellows_of(task, known == truths_.end() ? 0 : known->second.generation);
  return std::any_of(fellows.begin(), fellows.end(), [&](const std::string& name) {
    return awaited(task_of(task.job, task.attempt, name)).has_value();
  });
}

bool job_ledger::froze(const task_id_msg& task) {
  auto& real = truths_[task_key(task)];
  auto fellows = fellows_of(task, real.generation);
  auto works = [&](const std::string& name) {
    auto other = truths_.find(key_of(task.job, task.attempt, name));
    return other != truths_.end() && other->second.started && !other->second.code;
  };
  auto& type = *type_of(*find(task.job)->submitted.spec, task.type);
  real.frozen = type.regroup && std::any_of(fellows.begin(), fellows.end(), works);
  return real.frozen;
}

void job_ledger::part_some(random_source& random) {
  std::vector<job_record*> may;
  for (auto& [id, job] : jobs_) {
    auto& types = job.submitted.spec->tasks;
    auto regroups = std::any_of(types.begin(), types.end(), [](auto& x) { return x->regroup; });
    if (job.state == job_state::running && job.generation == 0 && regroups)
      may.push_back(&job);
  }
  if (!may.empty()) {
    auto& job = *may[random.below(may.size())];
    job.parted = job.attempt;
  }
}

void job_ledger::told_generation(const cluster_spec_msg& spec) {
  auto& real = truths_[task_key(*spec.task)];
  auto* job = find(spec.task->job);
  if (!job || job->attempt < spec.task->attempt || spec.generation <= real.generation)
    return violated("task " + task_key(*spec.task)
                    + " is told of a generation that is not its own");
  real.generation = spec.generation;
  if (job->attempt > spec.task->attempt)
    return; // a frozen node hears it late
  auto known = job->members.find(spec.generation);
  if (known == job->members.end())
    return violated("task " + task_key(*spec.task)
                    + " is told of a generation before it is logged");
  for (auto& each : spec.members)
    if (!known->second.contains(task_name(each->type, each->index)))
      violated("task " + task_key(*spec.task) + " is told of " + task_name(each->type, each->index)
               + ", which is not of its generation");
}

} // namespace troupe::testing
