// What a gang shows: its status, its events, its orders and its whole durable state.
#include "actors/jobs/gang.hpp"
#include "runtime/base/ids.hpp"

namespace troupe {
namespace {

std::unique_ptr<variable_msg> variable_of(std::string name, std::string value) {
  auto out = std::make_unique<variable_msg>();
  out->name = std::move(name);
  out->value = std::move(value);
  return out;
}

// The failures that a gang bears, by the first of them; empty: there are none.
std::string borne_by(const gang& job) {
  size_t failed = 0;
  const gang::task* first = nullptr;
  for (auto& x : job.tasks()) {
    if (!x.ended || (x.state != task_state::failed && x.state != task_state::lost))
      continue;
    ++failed;
    if (!first || x.ending < first->ending)
      first = &x;
  }
  if (!first)
    return {};
  auto which = "task " + task_name(job.type_of(*first).name, first->index) + " on " + first->node
               + " " + end_text(first->state, first->exit_code, first->reason);
  if (failed == 1)
    return "the job went on without a task that failed: " + which;
  return "the job went on without " + std::to_string(failed) + " tasks that failed, first " + which;
}

} // namespace

start_task_msg gang::start_of(const task& x, uint64_t epoch) const {
  auto& type = type_of(x);
  start_task_msg out;
  out.epoch = epoch;
  out.task = std::make_unique<task_id_msg>(id_of(x));
  out.command = type.command;
  for (auto& y : type.env)
    out.env.push_back(std::make_unique<variable_msg>(*y));
  out.env.push_back(variable_of("TROUPE_SECRET", hex(secret_)));
  if (submitted_.array != 0) {
    out.env.push_back(variable_of("TROUPE_ARRAY_INDEX", std::to_string(submitted_.array_index)));
    out.env.push_back(variable_of("TROUPE_ARRAY_SIZE", std::to_string(spec().array)));
  }
  out.directory = spec().directory;
  out.output_directory = output_directory();
  out.cpus = type.cpus;
  out.memory = type.memory;
  out.accelerators = type.accelerators;
  out.timeout_ns = type.timeout_ns;
  out.grace_ns = grace_ns();
  out.framework = spec().framework;
  for (auto& y : type.resources)
    out.resources.push_back(std::make_unique<resource_msg>(*y));
  out.image = type.image;
  out.mounts = type.mounts;
  out.checkpoints = spec().checkpoints;
  if (submitted_.array != 0 && !out.checkpoints.empty())
    out.checkpoints.append("/").append(std::to_string(submitted_.array_index));
  out.log_bytes = type.log_bytes;
  out.trace_files = spec().trace_files;
  return out;
}

// Its gang: the tasks of its stage, and those of earlier ones that serve them.
cluster_spec_msg gang::spec_of(const task& whose, uint64_t epoch) const {
  cluster_spec_msg out;
  out.epoch = epoch;
  out.task = std::make_unique<task_id_msg>(id_of(whose));
  for (auto& x : tasks_) {
    auto serves = x.stage < whose.stage && type_of(x).role != task_role::tracked;
    auto done = generation_ != 0 && x.ended && type_of(x).regroup; // before the others
    if ((x.stage != whose.stage && !serves) || !is_member(x) || done)
      continue;
    if (&x == &whose)
      out.rank = out.world_size;
    ++out.world_size;
    auto member = std::make_unique<cluster_member_msg>();
    member->type = type_of(x).name;
    member->index = x.index;
    member->host = x.host;
    member->port = x.port;
    member->role = type_of(x).role;
    out.members.push_back(std::move(member));
  }
  out.attempts_max = spec().attempts_max;
  out.ui = type_of(whose).ui;
  out.each_when_ready = spec().each_when_ready;
  out.generation = generation_;
  out.secret = secret_;
  out.regroups = regroups();
  for (size_t kind = 0; kind < spec().tasks.size(); ++kind)
    if (auto& type = *spec().tasks[kind]; type.role == task_role::tracked)
      out.tasks_tracked += placed_of(kind) != 0 ? placed_of(kind) : type.instances;
  return out;
}

std::string gang::log_path(const task& x) const {
  return output_directory() + "/" + type_of(x).name + "-" + std::to_string(x.index) + ".log";
}

job_status_msg gang::status() const {
  job_status_msg out;
  out.job = submitted_.job;
  out.name = spec().name;
  out.user = submitted_.user;
  out.state = state_;
  out.attempt = attempt_;
  out.reason = reason_;
  auto goes_on = state_ == job_state::succeeded || (state_ == job_state::running && !waits());
  if (reason_.empty() && goes_on && !failed_task())
    out.reason = borne_by(*this);
  out.submitted_ns = static_cast<uint64_t>(submitted_ns_);
  out.started_ns = static_cast<uint64_t>(started_ns_);
  out.ended_ns = static_cast<uint64_t>(ended_ns_);
  out.held = held_;
  out.queue = spec().queue;
  out.priority = spec().priority;
  out.array = submitted_.array;
  out.array_index = submitted_.array_index;
  out.tags = spec().tags;
  for (auto& x : ends_)
    out.ends.push_back(std::make_unique<attempt_end_msg>(x));
  for (auto& x : tasks_) {
    auto status = std::make_unique<task_status_msg>();
    status->type = type_of(x).name;
    status->index = x.index;
    status->node = x.node;
    status->state = x.ended ? x.state : x.seen;
    status->exit_code = x.exit_code;
    status->log = log_path(x);
    status->host = x.host;
    status->ui_port = x.ui_port;
    for (auto& y : x.progress)
      status->progress.push_back(std::make_unique<metric_msg>(*y));
    out.tasks.push_back(std::move(status));
  }
  return out;
}

std::vector<std::unique_ptr<job_event_msg>> gang::events_after(uint64_t sequence) const {
  std::vector<std::unique_ptr<job_event_msg>> out;
  for (auto& x : events_)
    if (x.sequence > sequence)
      out.push_back(std::make_unique<job_event_msg>(x));
  return out;
}

job_kept_msg gang::keep() const {
  job_kept_msg out;
  out.submitted = std::make_unique<job_submitted_msg>(submitted_);
  out.state = state_;
  out.attempt = attempt_;
  out.reason = reason_;
  out.stopping = stopping_;
  out.next = next_;
  out.secret = secret_;
  out.submitted_ns = submitted_ns_;
  out.started_ns = started_ns_;
  out.ended_ns = ended_ns_;
  out.sequence = sequence_;
  out.held = held_;
  out.held_reason = held_reason_;
  out.waiting_since_ns = waiting_since_ns_;
  out.attempt_started_ns = attempt_started_ns_;
  out.generation = generation_;
  for (auto& x : ends_)
    out.ends.push_back(std::make_unique<attempt_end_msg>(x));
  for (auto& x : tasks_) {
    auto kept = std::make_unique<task_kept_msg>();
    kept->type = type_of(x).name;
    kept->index = x.index;
    kept->node = x.node;
    kept->ended = x.ended;
    kept->state = x.state;
    kept->exit_code = x.exit_code;
    kept->reason = x.reason;
    kept->stage = x.stage;
    kept->cause = x.cause;
    kept->left = x.left;
    kept->generation = x.generation;
    out.tasks.push_back(std::move(kept));
  }
  for (auto& x : events_)
    out.events.push_back(std::make_unique<job_event_msg>(x));
  for (size_t cause = 0; cause < restarts_.size(); ++cause) {
    auto budget = std::make_unique<retry_budget_msg>();
    budget->cause = static_cast<exit_class>(cause);
    budget->restarts = restarts_[cause];
    out.restarts.push_back(std::move(budget));
  }
  return out;
}

} // namespace troupe
