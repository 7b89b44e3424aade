#include "tests/sim/job_ledger.hpp"

#include "actors/cluster/admission.hpp"
#include "storage/record.hpp"

namespace troupe::testing {

namespace {

std::string job_name(uint64_t job) {
  return "job " + std::to_string(job);
}

std::string text_of_state(const master_core& x) {
  std::string out;
  for (auto& each : x.snapshot())
    out += encode_record(each);
  return out;
}

} // namespace

std::string attempt_name(uint64_t job, uint32_t attempt) {
  return "attempt " + std::to_string(attempt) + " of " + job_name(job);
}

task_id_msg task_of(uint64_t job, uint32_t attempt, const std::string& name) {
  auto colon = name.find(':');
  task_id_msg id;
  id.job = job;
  id.attempt = attempt;
  id.type = name.substr(0, colon);
  id.index = static_cast<uint32_t>(std::stoul(name.substr(colon + 1)));
  return id;
}

std::string key_of(uint64_t job, uint32_t attempt, const std::string& name) {
  return task_key(task_of(job, attempt, name));
}

const task_type_msg* type_of(const job_spec_msg& spec, const std::string& name) {
  for (auto& each : spec.tasks)
    if (each->name == name)
      return each.get();
  return nullptr;
}

// ---- the log ----

void job_ledger::wrote(std::string_view key, std::string_view value, const storage::store& disk) {
  auto payload = storage::unseal(key, value);
  if (!payload)
    return;
  if (key == "s")
    return check_snapshot(*payload, disk);
  if (key.size() != 9 || key[0] != 'e')
    return;
  auto sequence = storage::from_big_endian(key.substr(1));
  auto record = decode_record(*payload);
  if (!record || sequence != records_.size() + 1)
    return violated("event " + std::to_string(sequence) + " of the log is no record, or follows "
                    + std::to_string(records_.size()));
  records_.push_back(*record);
  apply(*record);
}

void job_ledger::opened(uint64_t last) {
  if (last > records_.size())
    return violated("the log grew by itself");
  if (last == records_.size())
    return;
  records_.resize(last);
  epoch_ = 0;
  nodes_.clear();
  jobs_.clear();
  tokens_.clear();
  replaying_ = true;
  for (auto& each : records_)
    apply(each);
  replaying_ = false;
}

void job_ledger::check_snapshot(std::string_view payload, const storage::store& disk) {
  auto sequence = storage::field_reader{payload}.number();
  if (sequence > records_.size())
    return violated("a snapshot of event " + std::to_string(sequence) + " is ahead of the log");
  master_core from_log(options_, 0);
  for (uint64_t i = 0; i < sequence; ++i)
    from_log.apply(records_[i]);
  master_core from_parts(options_, 0);
  auto scanned = disk.scan("n", "", storage::no_limit, [&](auto key, auto value) {
    if (auto part = storage::unseal(key, value))
      if (auto record = decode_record(*part))
        from_parts.apply(*record);
    return true;
  });
  if (!scanned || text_of_state(from_log) != text_of_state(from_parts))
    violated("the snapshot of event " + std::to_string(sequence)
             + " differs from the fold of the log");
}

void job_ledger::apply(const cluster_event_msg& record) {
  auto& change = record.change;
  if (auto* epoch = change.Asepoch_started())
    apply(*epoch);
  else if (auto* node = change.Asnode_changed())
    apply(*node);
  else if (auto* submitted = change.Asjob_submitted())
    apply(*submitted);
  else if (auto* placed = change.Asattempt_placed())
    apply(*placed);
  else if (auto* ended = change.Astask_ended())
    apply(*ended);
  else if (auto* stopping = change.Asgang_stopping())
    apply(*stopping);
  else if (auto* changed = change.Asjob_changed())
    apply(*changed);
  else if (auto* held = change.Asjob_held())
    apply(*held);
  else if (auto* regrouped = change.Asgang_regrouped())
    apply(*regrouped);
}

void job_ledger::apply(const epoch_started_msg& x) {
  if (x.epoch <= epoch_)
    violated("epoch " + std::to_string(x.epoch) + " starts after epoch " + std::to_string(epoch_));
  epoch_ = x.epoch;
}

void job_ledger::apply(const node_changed_msg& x) {
  nodes_[x.name] = x;
}

void job_ledger::apply(const job_submitted_msg& x) {
  auto first = tokens_.emplace(std::pair{x.user, x.token}, x.job);
  if (!first.second && (x.array == 0 || first.first->second != x.array))
    violated("token " + std::to_string(x.token) + " of " + x.user + " became a second job");
  if (!jobs_.empty() && x.job <= jobs_.rbegin()->first)
    violated(job_name(x.job) + " has the number of an earlier one");
  jobs_[x.job].submitted = x;
}

job_ledger::job_record* job_ledger::current(uint64_t job, uint32_t attempt, const char* what) {
  auto found = jobs_.find(job);
  if (found != jobs_.end() && !found->second.final() && found->second.attempt == attempt)
    return &found->second;
  violated(std::string{what} + " is logged of " + attempt_name(job, attempt)
           + ", which is over or never was");
  return nullptr;
}

void job_ledger::apply(const attempt_placed_msg& x) {
  if (x.joining)
    return join(x);
  auto known = jobs_.find(x.job);
  auto later = known != jobs_.end() && known->second.attempt == x.attempt;
  auto* job = current(x.job, later ? x.attempt : x.attempt - 1, "a placement");
  if (!job)
    return;
  if (!later) {
    for (auto& [name, each] : job->tasks)
      if (!each.ended)
        violated(attempt_name(x.job, x.attempt) + " is placed while " + name
                 + " of the one before lives");
    job->tasks.clear();
    job->stages = 0;
    job->generation = 0;
    job->members.clear();
  }
  if (!later)
    check_turn(x, *job);
  job->attempt = x.attempt;
  check_stage(x, *job);
  for (auto& each : x.tasks) {
    auto node = nodes_.find(each->node);
    if (node == nodes_.end() || !node->second.alive)
      violated(attempt_name(x.job, x.attempt) + " is placed on " + each->node + ", which is lost");
    auto& task = job->tasks[task_name(each->type, each->index)];
    if (!task.node.empty())
      violated(attempt_name(x.job, x.attempt) + " places " + task_name(each->type, each->index)
               + " again");
    task.node = each->node;
    task.stage = job->stages;
  }
  ++job->stages;
  job->state = job_state::starting;
  job->stopping = false;
  check_room(x.job);
}

// ---- a gang that changes while it runs ----

void job_ledger::join(const attempt_placed_msg& x) {
  auto* job = current(x.job, x.attempt, "a placement of more tasks");
  if (!job)
    return;
  if (job->state != job_state::running || job->stopping)
    violated(attempt_name(x.job, x.attempt) + " gets more tasks and does not run");
  for (auto& each : x.tasks) {
    auto& type = *type_of(*job->submitted.spec, each->type);
    auto name = task_name(each->type, each->index);
    auto node = nodes_.find(each->node);
    if (!type.regroup || job->tasks.contains(name) || node == nodes_.end() || !node->second.alive)
      violated(name + " may not join " + attempt_name(x.job, x.attempt));
    job->tasks[name]
      = {each->node, false, task_state::pending, job->stages - 1, false, job->generation + 1};
  }
  for (auto& type : job->submitted.spec->tasks) {
    auto there = std::count_if(job->tasks.begin(), job->tasks.end(), [&](auto& task) {
      auto counts = job->has(task.second) || (!task.second.left && !task.second.ended);
      return counts && task.first.starts_with(type->name + ":");
    });
    if (there > type->instances)
      violated(attempt_name(x.job, x.attempt) + " has too many tasks of type " + type->name);
  }
  check_room(x.job);
}

// Whether nothing but room could keep it back.
void job_ledger::check_turn(const attempt_placed_msg& x, const job_record& job) {
  auto& spec = *job.submitted.spec;
  if (job.held)
    violated(attempt_name(x.job, x.attempt) + " is placed while the job is held");
  if (x.attempt != 1)
    return;
  for (auto& need : spec.needs)
    if (auto& other = jobs_.at(need->job);
        !other.final()
        || (need->when != need_rule::ended
            && (other.state == job_state::succeeded) != (need->when == need_rule::succeeded)))
      violated(job_name(x.job) + " starts before " + job_name(need->job) + ", which it needs");
  uint32_t busy = 0;
  for (auto& [id, each] : jobs_)
    busy += each.submitted.array == job.submitted.array && each.attempt != 0 && !each.final();
  if (spec.array_at_once != 0 && busy >= spec.array_at_once)
    violated(job_name(x.job) + " starts while as many of its array run as may");
}

void job_ledger::apply(const job_held_msg& x) {
  jobs_.at(x.job).held = x.held;
}

uint64_t job_ledger::unfinished() const {
  for (auto& [id, job] : jobs_)
    if (!job.final())
      return id;
  return 0;
}

// What is placed is every task of every type whose time has come.
void job_ledger::check_stage(const attempt_placed_msg& x, const job_record& job) {
  std::map<std::string, uint32_t> placed;
  for (auto& each : x.tasks)
    ++placed[each->type];
  for (auto& type : job.submitted.spec->tasks) {
    auto& after = type->after;
    auto due = job.stages == 0 ? after.empty()
                               : !job.tasks.contains(task_name(type->name, 0))
                                   && std::all_of(after.begin(), after.end(), [&](auto& name) {
                                        return type_succeeded(job, name);
                                      });
    auto least = type->instances_min != 0 ? type->instances_min : type->instances;
    auto many = placed[type->name];
    if (due ? many < least || many > type->instances : many != 0)
      violated(attempt_name(x.job, x.attempt) + " is not placed whole, or not in its order");
  }
}

// Every task of it has ended well; of one that its gang goes on without, some task.
bool job_ledger::type_succeeded(const job_record& job, const std::string& name) const {
  auto& type = *type_of(*job.submitted.spec, name);
  uint32_t placed = 0;
  uint32_t succeeded = 0;
  for (auto& [id, task] : job.tasks) {
    if (!id.starts_with(name + ":") || !job.has(task))
      continue;
    if (!task.ended)
      return false;
    ++placed;
    succeeded += task.state == task_state::succeeded ? 1 : 0;
  }
  return placed != 0 && (type.go_on ? succeeded > 0 : succeeded == placed);
}

bool job_ledger::has_succeeded(const job_record& job) const {
  auto& types = job.submitted.spec->tasks;
  auto all = true;
  auto any = false;
  for (auto& type : types) {
    if (type->role != task_role::tracked)
      continue;
    auto well = type_succeeded(job, type->name);
    any = any || well;
    all = all && (well || type->go_on);
  }
  return all && any;
}

// No node holds more than it has.
void job_ledger::check_room(uint64_t placed) {
  std::map<std::string, resources> used;
  for (auto& [id, job] : jobs_)
    for (auto& [name, task] : job.tasks)
      if (!task.ended && !job.final())
        used[task.node] += demand_of(*type_of(*job.submitted.spec, name.substr(0, name.find(':'))));
  for (auto& [node, amount] : used) {
    auto& has = nodes_[node];
    if (!resources{has.cpus, has.memory, has.accelerators}.holds(amount))
      violated(node + " is overcommitted by " + job_name(placed) + ": it has "
               + std::to_string(has.cpus) + " cpus for " + std::to_string(amount.cpus));
  }
}

void job_ledger::apply(const task_ended_msg& x) {
  auto* job = current(x.task->job, x.task->attempt, "the end of a task");
  if (!job)
    return;
  auto found = job->tasks.find(task_name(x.task->type, x.task->index));
  if (found == job->tasks.end() || found->second.ended || found->second.node != x.node)
    return violated("task " + task_key(*x.task) + " ends again, or where it was not");
  found->second.ended = true;
  found->second.state = x.state;
  auto& real = truths_[task_key(*x.task)];
  if (!replaying_ && x.state == task_state::succeeded && real.code != 0)
    violated("task " + task_key(*x.task) + " has succeeded for the log; its process "
             + (real.code ? "exited with " + std::to_string(*real.code) : "did not end"));
  real.over = x.state != task_state::lost;
  if (real.over && real.started && !real.code)
    violated("task " + task_key(*x.task) + " has ended for the log while its process runs");
}

void job_ledger::apply(const gang_stopping_msg& x) {
  auto* job = current(x.job, x.attempt, "a stop");
  if (!job)
    return;
  check_restart(x, *job);
  if (x.next == job_state::killed && !kills_.contains(x.job))
    violated(job_name(x.job) + " is killed though nobody asked for it");
  job->stopping = true;
  job->next = x.next;
  if (x.next == job_state::succeeded && !has_succeeded(*job))
    violated(job_name(x.job) + " stops as if it had succeeded");
  if (x.next == job_state::restarting) {
    job->state = x.next;
    ++job->restarts[x.cause];
  }
}

// A job fails when it has no restart left for the cause, or its time is up.
void job_ledger::check_restart(const gang_stopping_msg& x, const job_record& job) {
  auto& spec = *job.submitted.spec;
  uint32_t charged = 0;
  for (auto& [cause, times] : job.restarts)
    charged += cause == exit_class::preempted ? 0 : times;
  auto left = x.cause == exit_class::preempted || charged + 1 < spec.attempts_max;
  auto used = job.restarts.find(x.cause);
  for (auto& budget : spec.retries)
    if (budget->cause == x.cause && x.cause != exit_class::preempted)
      left = left && (used == job.restarts.end() ? 0 : used->second) < budget->restarts;
  auto late = spec.timeout_ns != 0 && x.reason.starts_with("the job ran longer");
  auto never = job.attempt == 0 && x.reason.find(", which it needs to ") != std::string::npos;
  if (x.next == job_state::failed && left && !late && !never)
    violated(job_name(x.job) + " fails before its attempts are spent: " + x.reason);
  if (x.next == job_state::restarting && !left)
    violated(job_name(x.job) + " restarts though its attempts are spent: " + x.reason);
}

void job_ledger::apply(const job_changed_msg& x) {
  auto* job = current(x.job, x.attempt, "a new state");
  if (!job)
    return;
  job->state = x.state;
  for (auto& [name, each] : job->tasks) {
    if (x.state == job_state::running && !replaying_ && !each.ended
        && !truths_[key_of(x.job, x.attempt, name)].connected)
      violated(attempt_name(x.job, x.attempt) + " runs before its gang was there");
    if (job->final() && !each.ended)
      violated(job_name(x.job) + " is over while its task " + name + " lives");
  }
  if (x.state == job_state::succeeded && !has_succeeded(*job))
    violated(job_name(x.job) + " has succeeded without its tasks");
}

// ---- machines ----

void job_ledger::launched(const std::string& node, const start_task_msg& order,
                          const resources& room) {
  auto key = task_key(*order.task);
  if (std::exchange(truths_[key].launched, true))
    violated("task " + key + " is started again, on " + node);
  if (!room.holds({order.cpus, order.memory, order.accelerators}))
    violated(node + " starts task " + key + " and has no room for it");
  auto* job = find(order.task->job);
  if (!job || job->attempt < order.task->attempt)
    return violated("task " + key + " is started before its placement was logged");
  auto task = job->tasks.find(task_name(order.task->type, order.task->index));
  if (job->attempt == order.task->attempt
      && (task == job->tasks.end() || task->second.node != node))
    violated("task " + key + " is started on " + node + ", where it was not placed");
}

void job_ledger::connected(const task_id_msg& task) {
  truths_[task_key(task)].connected = true;
}

void job_ledger::started(const task_id_msg& task) {
  auto key = task_key(task);
  auto& real = truths_[key];
  if (std::exchange(real.started, true))
    violated("the process of task " + key + " starts again");
  if (real.over)
    violated("the process of task " + key + " starts after its end was logged");
  auto* job = find(task.job);
  auto early = [&] {
    auto known = job->tasks.find(task_name(task.type, task.index));
    if (known == job->tasks.end())
      return false;
    auto starting = job->state == job_state::starting && known->second.stage + 1 == job->stages;
    return known->second.generation > job->generation
           || (starting && !job->submitted.spec->each_when_ready);
  };
  if (!job || job->attempt < task.attempt || (job->attempt == task.attempt && early()))
    violated("the process of task " + key + " starts before the log says that its gang runs");
}

void job_ledger::ended(const task_id_msg& task, int code) {
  truths_[task_key(task)].code = code;
}

// ---- clients ----

void job_ledger::accepted(const std::string& user, uint64_t token, uint64_t job) {
  auto [known, is_new] = accepted_.emplace(std::pair{user, token}, job);
  if (!is_new && known->second != job)
    violated("token " + std::to_string(token) + " of " + user + " is " + job_name(known->second)
             + " and then " + job_name(job));
  auto* logged = find(job);
  if (!logged || logged->submitted.token != token || logged->submitted.user != user)
    violated(job_name(job) + " is accepted and not in the log");
}

void job_ledger::kill_confirmed(uint64_t job) {
  kills_confirmed_.insert(job);
  auto* logged = find(job);
  if (!logged || (!logged->final() && !(logged->stopping && logged->next == job_state::killed)))
    violated("the kill of " + job_name(job) + " is confirmed and not in the log");
}

void job_ledger::told(uint64_t job, uint64_t after, const job_events_msg& news) {
  auto& known = told_[job];
  for (auto& each : news.events) {
    auto [event, is_new] = known.events.emplace(each->sequence, each->text);
    if (each->sequence <= after)
      violated("a client that knows " + std::to_string(after) + " is told event "
               + std::to_string(each->sequence) + " of " + job_name(job));
    if (!is_new && event->second != each->text)
      violated("event " + std::to_string(each->sequence) + " of " + job_name(job) + " was '"
               + event->second + "' and is now '" + each->text + "'");
  }
  auto state = news.status->state;
  if (known.final && known.state != state)
    violated(job_name(job) + " was " + EnumNamejob_state(known.state) + " and is now "
             + EnumNamejob_state(state));
  known.final = state >= job_state::succeeded;
  known.state = state;
}

const job_ledger::job_record* job_ledger::find(uint64_t job) const {
  auto found = jobs_.find(job);
  return found != jobs_.end() ? &found->second : nullptr;
}

std::string job_ledger::history(uint64_t job) const {
  auto known = told_.find(job);
  if (known == told_.end())
    return "nothing was told";
  std::string out = "last told:";
  auto& events = known->second.events;
  auto first = events.size() > 5 ? std::prev(events.end(), 5) : events.begin();
  for (auto each = first; each != events.end(); ++each)
    out.append(" ").append(each->second).append(";");
  return out;
}

void job_ledger::check_end() {
  for (auto& [token, id] : accepted_) {
    auto* job = find(id);
    if (!job || job->submitted.user != token.first || job->submitted.token != token.second)
      violated(job_name(id) + " was accepted and is lost");
    else
      check_end_of(id, *job);
  }
  master_core core(options_, 0);
  for (auto& each : records_)
    core.apply(each);
  for (auto& [id, known] : told_) {
    auto logged = core.events_after(id, 0);
    if (!logged)
      continue; // its loss is reported above
    for (auto& each : logged->events)
      if (auto told = known.events.find(each->sequence);
          told != known.events.end() && told->second != each->text)
        violated("a client was told '" + told->second + "' of " + job_name(id)
                 + ", and the log says '" + each->text + "'");
  }
}

void job_ledger::check_end_of(uint64_t id, const job_record& job) {
  auto known = told_.find(id);
  if (known != told_.end() && known->second.final && known->second.state != job.state)
    violated(job_name(id) + " is " + EnumNamejob_state(job.state) + "; a client was told "
             + EnumNamejob_state(known->second.state));
  if (job.state != job_state::succeeded)
    return;
  for (auto& [name, task] : job.tasks) {
    auto real = truths_.find(key_of(id, job.attempt, name));
    if (task.state == task_state::succeeded && (real == truths_.end() || real->second.code != 0))
      violated(job_name(id) + " has succeeded though a process of its gang did not");
  }
}

void job_ledger::violated(const std::string& what) {
  if (!replaying_)
    world_.violated(what);
}

} // namespace troupe::testing
