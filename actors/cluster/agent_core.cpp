#include "actors/cluster/agent_core.hpp"

#include "actors/cluster/inventory.hpp"
#include "actors/jobs/file_uses.hpp"
#include "actors/packages/resource_rules.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace troupe {
namespace {

constexpr size_t jobs_max = 4096;

resources demand_of(const start_task_msg& x) {
  return {x.cpus, x.memory, x.accelerators};
}

const error no_task{errc::refused, "the order names no task: send one that does"};

} // namespace

uint64_t next_incarnation(uint64_t last, int64_t wall_ns) {
  return std::max(static_cast<uint64_t>(std::max<int64_t>(wall_ns, 1)), last + 1);
}

agent_core::agent_core(agent_options options, time_point now)
  : options_(std::move(options)), master_seen_(now), ticked_(now), packages_(options_.packages) {}

result<void> agent_core::check_epoch(uint64_t epoch, time_point now) {
  if (epoch < epoch_)
    return {errc::refused, "the order is of epoch " + std::to_string(epoch) + ", but epoch "
                             + std::to_string(epoch_) + " has begun: the sender must end"};
  master_seen(epoch, now);
  return {};
}

void agent_core::master_seen(uint64_t epoch, time_point now) {
  if (epoch < epoch_)
    return;
  epoch_ = epoch;
  master_seen_ = now;
}

agent_core::entry* agent_core::find(const task_id_msg& task) {
  auto found = tasks_.find(task_key(task));
  return found == tasks_.end() ? nullptr : &found->second;
}

agent_core::entry& agent_core::add(const start_task_msg& order, task_state state) {
  auto job = order.task->job;
  auto& newest = newest_[job];
  if (order.task->attempt > newest) {
    newest = order.task->attempt;
    gone_.erase(job);
  }
  while (newest_.size() > jobs_max) { // job ids only grow: the first is the oldest
    gone_.erase(newest_.begin()->first);
    newest_.erase(newest_.begin());
  }
  auto& x = tasks_[task_key(*order.task)];
  x.order = order;
  x.report.task = std::make_unique<task_id_msg>(*order.task);
  x.report.state = state;
  news_ = true;
  return x;
}

result<agent_effects> agent_core::start(const start_task_msg& order, time_point now) {
  if (!order.task)
    return no_task;
  TROUPE_TRY(check_epoch(order.epoch, now));
  TROUPE_TRY(check_shipped(order.resources));
  auto& id = *order.task;
  agent_effects out;
  if (find(id)) {
    out.emplace_back(report_due{});
    return out;
  }
  auto newest = newest_.find(id.job);
  if (newest != newest_.end() && id.attempt < newest->second)
    return {errc::refused, "attempt " + std::to_string(id.attempt) + " of job "
                             + std::to_string(id.job) + " is older than attempt "
                             + std::to_string(newest->second) + ": forget it"};
  if (auto gone = gone_.find(id.job);
      gone != gone_.end() && newest->second == id.attempt && gone->second.contains(task_key(id)))
    return {errc::refused, "task " + printable(id.type) + ":" + std::to_string(id.index)
                             + " has run in this attempt: start a new attempt"};
  if (!free().holds(demand_of(order)))
    return {errc::unavailable, "node " + options_.name + " has " + text_of(free())
                                 + " left, the task needs " + text_of(demand_of(order))
                                 + ": place it elsewhere"};
  for (auto& [key, x] : tasks_)
    if (!x.ended && x.order.task->job == id.job && x.order.task->attempt < id.attempt)
      end_by(x, options_.orphan_grace, now, out);
  auto given = order;
  given.accelerator_ids = choose_accelerators(order.accelerators);
  launch_or_wait(add(given, task_state::starting), now, out);
  settle(now, out);
  return out;
}

// The first that no task has: there are enough.
std::vector<uint32_t> agent_core::choose_accelerators(uint32_t count) const {
  std::set<uint32_t> taken;
  for (auto& [key, x] : tasks_)
    if (!x.ended)
      taken.insert(x.order.accelerator_ids.begin(), x.order.accelerator_ids.end());
  std::vector<uint32_t> out;
  for (uint32_t id = 0; out.size() < count && id < options_.capacity.accelerators; ++id)
    if (!taken.contains(id))
      out.push_back(id);
  return out;
}

// Its own; for torchrun's scripts, which count with their local rank, those of the gang here in the
// order of its members.
std::vector<uint32_t> agent_core::visible_accelerators(const entry& x,
                                                       const cluster_spec_msg& spec) const {
  if (x.order.framework != framework::pytorch)
    return x.order.accelerator_ids;
  std::vector<uint32_t> out;
  auto id = *x.order.task;
  for (auto& member : spec.members) {
    id.type = member->type;
    id.index = member->index;
    if (auto here = tasks_.find(task_key(id)); here != tasks_.end())
      out.insert(out.end(), here->second.order.accelerator_ids.begin(),
                 here->second.order.accelerator_ids.end());
  }
  return out;
}

void agent_core::adopt(const start_task_msg& order) {
  if (!order.task || find(*order.task))
    return;
  epoch_ = std::max(epoch_, order.epoch);
  add(order, task_state::starting).silence.emplace();
}

result<agent_effects> agent_core::spec(const cluster_spec_msg& order, time_point now) {
  if (!order.task)
    return no_task;
  TROUPE_TRY(check_epoch(order.epoch, now));
  auto* x = find(*order.task);
  if (!x)
    return {errc::not_found, "node " + options_.name + " has no task "
                               + printable(task_key(*order.task)) + ": start it first"};
  agent_effects out;
  if (x->ended || x->stopping)
    return out;
  auto later = order.generation > x->report.generation;
  if (x->report.state < task_state::running || !x->spec_given || later) {
    auto given = order;
    given.accelerators = visible_accelerators(*x, order);
    given.accelerators_assigned = options_.capacity.accelerators != 0;
    out.emplace_back(deliver_spec{std::move(given)});
  }
  x->spec_given = true;
  return out;
}

result<agent_effects> agent_core::stop(const stop_task_msg& order, time_point now) {
  if (!order.task)
    return no_task;
  TROUPE_TRY(check_epoch(order.epoch, now));
  agent_effects out;
  auto* x = find(*order.task);
  if (!x) {
    // Its start may still arrive: from now on it is refused.
    start_task_msg never;
    never.task = std::make_unique<task_id_msg>(*order.task);
    auto& tombstone = add(never, task_state::killed);
    tombstone.ended = true;
    tombstone.report.reason = "stopped before it started";
    out.emplace_back(report_due{});
    return out;
  }
  if (x->ended)
    out.emplace_back(report_due{});
  else
    end_by(*x, duration{static_cast<int64_t>(order.grace_ns)}, now, out);
  settle(now, out);
  return out;
}

void agent_core::end_by(entry& x, duration grace, time_point now, agent_effects& out) {
  if (x.stopping)
    return;
  x.stopping = true;
  if (x.waits)
    return end_waiting(x, task_state::killed, "stopped before it started", out);
  grace = std::clamp(grace, duration{0}, duration{std::chrono::hours{1}});
  x.kill_at = now + grace;
  out.emplace_back(terminate_task{*x.order.task, static_cast<uint64_t>(grace.count())});
}

result<agent_effects> agent_core::executor_registered(const executor_register_msg& x) {
  auto* found = x.task ? find(*x.task) : nullptr;
  if (!found || found->ended)
    return {errc::refused, "node " + options_.name + " runs no such task: the executor must end"};
  agent_effects out;
  found->silence.emplace();
  found->report.host = x.host;
  found->report.port = x.port;
  found->report.state = std::max(found->report.state, task_state::registered);
  news_ = true;
  out.emplace_back(report_due{});
  return out;
}

result<agent_effects> agent_core::executor_reported(const task_report_msg& report) {
  auto* found = report.task ? find(*report.task) : nullptr;
  if (!found || found->ended)
    return {errc::refused, "node " + options_.name + " runs no such task: the executor must end"};
  agent_effects out;
  found->silence.emplace();
  found->report.ui_port = report.ui_port;
  auto awaits = report.awaits_next && report.generation >= found->report.generation;
  if (report.generation > found->report.generation || awaits != found->report.awaits_next) {
    found->report.generation = std::max(found->report.generation, report.generation);
    found->report.awaits_next = awaits;
    news_ = true;
    out.emplace_back(report_due{});
  }
  if (!report.progress.empty()) {
    found->report.progress.clear();
    for (auto& x : report.progress)
      found->report.progress.push_back(std::make_unique<metric_msg>(*x));
  }
  if (is_end(report.state)) {
    // The task ends for the master when its process is gone, and its resources with it.
    found->result_known = true;
    found->succeeded = report.state == task_state::succeeded && report.exit_code == 0;
    found->report.exit_code = report.exit_code;
    found->report.reason = report.reason;
    found->report.cause = report.cause;
    auto files = bounded_copy(report.files, report.files_left_out);
    found->report.files = std::move(files.all);
    found->report.files_left_out = files.left_out;
    return out;
  }
  if (report.state > found->report.state) {
    found->report.state = report.state;
    news_ = true;
    out.emplace_back(report_due{});
  }
  return out;
}

agent_effects agent_core::executor_exited(const task_id_msg& task, int32_t exit_code,
                                          const std::string& reason) {
  agent_effects out;
  auto* x = find(task);
  if (!x || x->ended)
    return out;
  x->ended = true;
  x->kill_at.reset();
  auto& report = x->report;
  if (!x->result_known) {
    report.exit_code = exit_code;
    report.reason = reason;
    report.cause = exit_class::infrastructure; // no word of the command: it is not to blame
  }
  auto clean
    = report.exit_code == 0 && report.reason.empty() && report.state == task_state::running;
  if (x->result_known ? x->succeeded : clean)
    report.state = task_state::succeeded;
  else
    report.state = x->stopping ? task_state::killed : task_state::failed;
  if (report.state == task_state::failed && report.exit_code == 0 && report.reason.empty())
    report.reason = "its executor ended before the command ran";
  news_ = true;
  out.emplace_back(report_due{});
  return out;
}

// Frozen, or cut off for good: what it holds is worth more than what it may still do.
void agent_core::notice_silence(entry& x, duration passed, time_point now) const {
  if (!x.silence || x.kill_at || (*x.silence += passed) < options_.executor_silence)
    return;
  x.kill_at = now;
  if (std::exchange(x.result_known, true))
    return;
  x.report.exit_code = 128 + SIGKILL;
  auto limit = std::chrono::duration_cast<std::chrono::seconds>(options_.executor_silence).count();
  x.report.reason = "its executor was silent for " + std::to_string(limit) + " s";
  x.report.cause = exit_class::infrastructure;
}

agent_effects agent_core::tick(time_point now) {
  agent_effects out;
  // After a pause of this process itself, what the executors said is not read yet.
  auto passed = std::min(now - std::exchange(ticked_, now), duration{std::chrono::seconds{1}});
  auto orphaned = now - master_seen_ >= options_.orphan_timeout;
  for (auto& [key, x] : tasks_) {
    if (x.ended)
      continue;
    if (orphaned)
      end_by(x, options_.orphan_grace, now, out);
    notice_silence(x, passed, now);
    if (x.kill_at && now >= *x.kill_at) {
      out.emplace_back(kill_task{*x.order.task});
      x.kill_at = now + std::chrono::seconds{1}; // until the process is seen to be gone
    }
  }
  settle(now, out);
  return out;
}

std::vector<std::unique_ptr<task_report_msg>> agent_core::reports() const {
  std::vector<std::unique_ptr<task_report_msg>> out;
  size_t bytes = 0;
  for (auto& [key, x] : tasks_) {
    bytes += bytes_of(x.report.files);
    if (bytes <= limits::node_files_bytes_max || x.report.files.empty()) {
      out.push_back(std::make_unique<task_report_msg>(x.report));
      continue;
    }
    // Its end is told when those before it were acknowledged.
    out.push_back(std::make_unique<task_report_msg>());
    auto& later = *out.back();
    later.task = std::make_unique<task_id_msg>(*x.report.task);
    later.state = task_state::running;
    later.host = x.report.host;
    later.port = x.report.port;
    later.ui_port = x.report.ui_port;
    later.generation = x.report.generation;
  }
  return out;
}

register_node_msg agent_core::registration() const {
  register_node_msg out;
  out.name = options_.name;
  out.cpus = static_cast<uint32_t>(options_.capacity.cpus);
  out.memory = options_.capacity.memory;
  out.accelerators = static_cast<uint32_t>(options_.capacity.accelerators);
  out.labels = options_.labels;
  out.incarnation = options_.incarnation;
  out.tasks = reports();
  return out;
}

node_report_msg agent_core::report() const {
  node_report_msg out;
  out.incarnation = options_.incarnation;
  out.tasks = reports();
  return out;
}

void agent_core::acknowledge(const node_report_msg& received) {
  std::map<std::string, const task_report_msg*> known;
  for (auto& x : received.tasks)
    if (x && x->task)
      known[task_key(*x->task)] = x.get();
  news_ = std::any_of(tasks_.begin(), tasks_.end(), [&](auto& x) {
    auto found = known.find(x.first);
    return found == known.end() || found->second->state != x.second.report.state;
  });
  for (auto& [key, x] : known) {
    auto found = tasks_.find(key);
    if (!is_end(x->state) || found == tasks_.end() || !found->second.ended)
      continue;
    tasks_.erase(found);
    if (auto newest = newest_.find(x->task->job);
        newest != newest_.end() && newest->second == x->task->attempt)
      gone_[x->task->job].insert(key);
  }
}

resources agent_core::free() const {
  auto out = options_.capacity;
  for (auto& [key, x] : tasks_)
    if (!x.ended)
      out -= demand_of(x.order);
  return out;
}

size_t agent_core::running() const noexcept {
  return static_cast<size_t>(
    std::count_if(tasks_.begin(), tasks_.end(), [](auto& x) { return !x.second.ended; }));
}

} // namespace troupe
