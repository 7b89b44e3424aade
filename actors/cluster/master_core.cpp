#include "actors/cluster/master_core.hpp"

#include "actors/cluster/admission.hpp"
#include "runtime/base/assert.hpp"

#include <algorithm>

namespace troupe {

master_core::master_core(master_options options, uint64_t seed)
  : options_(std::move(options)), random_(seed) {}

void master_core::apply(const cluster_event_msg& record) {
  auto& change = record.change;
  if (auto* epoch = change.Asepoch_started()) {
    epoch_ = std::max(epoch_, epoch->epoch);
    return;
  }
  if (auto* node = change.Asnode_changed()) {
    nodes_.apply(*node);
    changed_nodes_.insert(node->name);
    if (node->draining)
      timed_.insert(node->name);
    return;
  }
  uint64_t id = 0;
  if (auto* kept = change.Asjob_kept()) {
    id = kept->submitted->job;
    jobs_[id] = std::make_unique<gang>(options_.gangs, *kept);
    count_tasks(*jobs_[id], true);
    tokens_.try_emplace({kept->submitted->user, kept->submitted->token}, id);
  } else if (auto* submitted = change.Asjob_submitted()) {
    id = submitted->job;
    jobs_[id] = std::make_unique<gang>(options_.gangs, *submitted, record.time_ns);
    tokens_.try_emplace({submitted->user, submitted->token}, id); // of an array, the first
  } else if (auto* purged = change.Asjob_purged()) {
    return forget(purged->job);
  } else {
    id = job_of(change);
    if (auto* job = lookup(id))
      apply_to(*job, record);
  }
  last_job_ = std::max(last_job_, id);
  if (auto* job = find(id)) {
    changed_jobs_.insert(id);
    keep_active(*job, id);
    keep_waiting(*job, id);
  }
  if (change.Asjob_submitted())
    forget_old_jobs(); // not those that it needs
}

// What the tasks of a job hold is counted where a record changes it.
void master_core::apply_to(gang& job, const cluster_event_msg& record) {
  auto* ended = record.change.Astask_ended();
  auto placed = record.change.Asattempt_placed() != nullptr;
  if (placed)
    count_tasks(job, false);
  if (auto* task = ended ? job.find(*ended->task) : nullptr; task && !task->ended)
    count_task(job, *task, false);
  job.apply(record.change, record.time_ns);
  if (placed)
    count_tasks(job, true);
}

void master_core::count_tasks(const gang& job, bool held) {
  for (auto& x : job.tasks())
    if (!x.ended)
      count_task(job, x, held);
}

void master_core::count_task(const gang& job, const gang::task& x, bool held) {
  auto* node = nodes_.find(x.node);
  if (!node)
    return;
  auto id = job.submitted().job;
  auto amount = demand_of(job.type_of(x));
  if (held) {
    node->held += amount;
    ++node->tasks[id];
    return;
  }
  node->held -= amount;
  if (--node->tasks[id] == 0)
    node->tasks.erase(id);
}

std::vector<uint64_t> master_core::jobs_on(const known_node& node) const {
  std::vector<uint64_t> out;
  for (auto& [id, count] : node.tasks)
    out.push_back(id);
  return out;
}

waiting_key master_core::key_of(const gang& job) {
  auto with_tasks = job.state() == job_state::running;
  return {with_tasks, with_tasks ? priority_class::low : job.spec().priority, job.submitted().job};
}

void master_core::keep_waiting(const gang& job, uint64_t id) {
  waiting_key with_tasks{true, priority_class::low, id};
  waiting_key without{false, job.spec().priority, id};
  waiting_.erase(with_tasks);
  waiting_.erase(without);
  if (job.waits())
    waiting_.insert(key_of(job));
}

// Whether a job is one of those that go on, and whom it waits for then.
void master_core::keep_active(const gang& job, uint64_t id) {
  auto& spec = job.spec();
  auto changed = job.final() ? active_.erase(id) != 0 : active_.insert(id).second;
  if (!changed)
    return;
  for (auto& need : spec.needs)
    for (auto* other : jobs_of(*need))
      needed_[other->submitted().job] += job.final() ? -1 : 1;
  auto keep = [&](std::set<uint64_t>& in, bool belongs) {
    if (belongs && !job.final())
      in.insert(id);
    else
      in.erase(id);
  };
  keep(limited_, !spec.needs.empty() || spec.array_at_once != 0);
  keep(elastic_, std::any_of(spec.tasks.begin(), spec.tasks.end(),
                             [](auto& type) { return type->instances_min != 0 || type->regroup; }));
  keep(watched_, true);
}

master_outcome master_core::resume(moment at) {
  master_outcome out;
  epoch_started_msg next;
  next.epoch = epoch_ + 1;
  commit(change_of(std::move(next)), at, out);
  for (auto& [name, node] : nodes_.nodes())
    if (node.durable.alive) {
      node.expires = at.now + options_.reconnect_time;
      timed_.insert(name);
    }
  open_windows(at, out);
  dirty_ = active_;
  settle(at, out);
  return out;
}

master_outcome master_core::step(const master_input& input, moment at) {
  master_outcome out;
  std::visit([&](auto& x) { on(x, at, out); }, input);
  settle(at, out);
  return out;
}

void master_core::on(const register_node_msg& x, moment at, master_outcome& out) {
  auto* known = nodes_.find(x.name);
  if (!is_name(x.name)) {
    out.refusal = error{errc::invalid, "node \"" + printable(x.name)
                                         + "\" is not a name: use up to 128 letters, digits, '_', "
                                           "'-' and '.'"};
    return;
  }
  if (known && x.incarnation < known->durable.incarnation) {
    out.refusal = error{errc::refused, "node \"" + x.name
                                         + "\" has an older life than the one that is known: "
                                           "start it again"};
    return;
  }
  auto same_life = known && known->durable.incarnation == x.incarnation;
  node_changed_msg changed;
  changed.name = x.name;
  changed.cpus = x.cpus;
  changed.memory = x.memory;
  changed.accelerators = x.accelerators;
  changed.incarnation = x.incarnation;
  changed.alive = true;
  changed.labels = x.labels;
  if (known) {
    changed.draining = known->durable.draining;
    changed.reason = known->durable.reason;
    changed.from_ns = known->durable.from_ns;
    changed.until_ns = known->durable.until_ns;
    changed.move = known->durable.move;
  }
  if (!known || !(known->durable == changed))
    commit(change_of(std::move(changed)), at, out);
  auto& node = *nodes_.find(x.name);
  node.present = true;
  node.leaving = x.leaving;
  node.expires.reset();
  node.lingering.clear();
  for (auto& report : x.tasks)
    if (report && report->task)
      see(x.name, *report, at, out);
  for (auto id : jobs_on(node)) {
    auto& job = *lookup(id);
    for (auto& change : job.missing(x.name, x, same_life))
      commit(std::move(change), at, out);
    if (auto change = x.leaving
                        ? job.move_from(x.name, "node " + x.name + " is leaving the cluster")
                        : std::nullopt)
      commit(std::move(*change), at, out);
    job.order_again(x.name);
    dirty_.insert(id);
  }
  place_ = true;
}

void master_core::on(const node_reported& x, moment at, master_outcome& out) {
  auto* node = nodes_.find(x.node);
  if (!node || !node->durable.alive || !node->present
      || node->durable.incarnation != x.report.incarnation) {
    out.refusal = error{errc::refused,
                        "node \"" + printable(x.node) + "\" is not registered: register it again"};
    return;
  }
  // A report names every task of its node: what it leaves out is gone.
  place_ = place_ || !node->lingering.empty();
  node->lingering.clear();
  for (auto& report : x.report.tasks)
    if (report && report->task)
      see(x.node, *report, at, out);
}

void master_core::see(const std::string& node, const task_report_msg& report, moment at,
                      master_outcome& out) {
  auto* job = lookup(report.task->job);
  gang::sight sight{!is_end(report.state), {}, true};
  if (job) {
    sight = job->see(node, report);
    if (sight.news) // what runs says so each second
      dirty_.insert(report.task->job);
  }
  linger(node, report, sight.fenced);
  if (sight.fenced)
    stop_stray(node, *report.task, out);
  if (sight.change)
    commit(std::move(*sight.change), at, out);
}

// A task that is fenced off holds its resources until its node says that it is gone.
void master_core::linger(const std::string& node, const task_report_msg& report, bool fenced) {
  auto& lingering = nodes_.find(node)->lingering;
  if (is_end(report.state)) {
    if (lingering.erase(task_key(*report.task)) != 0)
      place_ = true;
    return;
  }
  auto* job = find(report.task->job);
  if (!fenced || !job)
    return;
  for (auto& type : job->spec().tasks)
    if (type->name == report.task->type)
      lingering[task_key(*report.task)] = demand_of(*type);
}

void master_core::stop_stray(const std::string& node, const task_id_msg& task,
                             master_outcome& out) const {
  stop_task_msg order;
  order.epoch = epoch_;
  order.task = std::make_unique<task_id_msg>(task);
  order.grace_ns = static_cast<uint64_t>(options_.gangs.stop_grace.count());
  out.effects.emplace_back(send_stop{node, std::move(order)});
}

void master_core::on(const node_unlinked& x, moment at, master_outcome&) {
  auto* node = nodes_.find(x.node);
  if (!node || !node->durable.alive)
    return;
  node->present = false;
  node->expires = at.now + options_.return_time;
  timed_.insert(x.node);
}

void master_core::on(const node_gone& x, moment at, master_outcome& out) {
  auto* node = nodes_.find(x.node);
  if (!node || !node->durable.alive)
    return;
  auto changed = node->durable;
  changed.alive = false;
  commit(change_of(std::move(changed)), at, out);
  for (auto id : jobs_on(*node))
    for (auto& change : lookup(id)->node_lost(x.node))
      commit(std::move(change), at, out);
}

void master_core::on(const start_refused& x, moment at, master_outcome& out) {
  auto* job = lookup(x.task.job);
  if (!job)
    return;
  if (auto change = job->refused(x.node, x.task, x.reason))
    commit(std::move(*change), at, out);
}

void master_core::on(const timer_tick&, moment at, master_outcome& out) {
  for (auto& name : timed_)
    if (auto& expires = nodes_.find(name)->expires; expires && at.now >= *expires)
      on(node_gone{name}, at, out);
  open_windows(at, out);
  std::erase_if(timed_, [&](auto& name) {
    auto& node = *nodes_.find(name);
    return !node.expires && !node.drains && !node.durable.draining;
  });
  dirty_.insert(watched_.begin(), watched_.end());
  place_ = true;
}

void master_core::commit(cluster_changeUnion change, moment at, master_outcome& out) {
  auto id = job_of(change);
  cluster_event_msg record;
  record.time_ns = at.wall_ns;
  record.change = std::move(change);
  if (auto* regrouped = record.change.Asgang_regrouped())
    regrouped->secret = random_.next();
  auto frees = record.change.Astask_ended() || record.change.Asjob_changed();
  apply(record);
  out.records.push_back(std::move(record));
  place_ = place_ || frees;
  if (id == 0)
    return;
  dirty_.insert(id);
  for (auto& effect : out.effects)
    if (auto* news = std::get_if<job_news>(&effect); news && news->job == id)
      return;
  out.effects.emplace_back(job_news{id});
}

void master_core::settle(moment at, master_outcome& out) {
  auto reachable = [&](const std::string& name) {
    auto* node = nodes_.find(name);
    return node && node->durable.alive && node->present;
  };
  auto decide = [&] {
    for (auto id : std::set<uint64_t>{dirty_})
      while (auto change = lookup(id) ? lookup(id)->next(at, reachable) : std::nullopt)
        commit(std::move(*change), at, out);
  };
  decide();
  if (std::exchange(place_, false)) {
    keep_back(at, out);
    place(at, out);
    decide();
  }
  std::vector<task_order> orders;
  for (auto id : dirty_)
    if (auto* job = lookup(id))
      job->orders(at.now, epoch_, reachable, orders);
  for (auto& order : orders)
    std::visit([&](auto& x) { out.effects.emplace_back(std::move(x)); }, order);
  for (auto id : std::exchange(dirty_, {}))
    if (auto* job = find(id); !job || job->quiet())
      watched_.erase(id);
    else
      watched_.insert(id);
}

gang* master_core::lookup(uint64_t job) {
  auto found = jobs_.find(job);
  return found == jobs_.end() ? nullptr : found->second.get();
}

bool master_core::may_forget(const gang& job) const {
  auto needed = needed_.find(job.submitted().job);
  return job.final() && (needed == needed_.end() || needed->second <= 0);
}

void master_core::forget(uint64_t id) {
  auto* job = find(id);
  if (!job)
    return;
  tokens_.erase({job->submitted().user, job->submitted().token});
  jobs_.erase(id);
  changed_jobs_.insert(id);
}

void master_core::forget_old_jobs() {
  if (jobs_.size() <= options_.jobs_kept + active_.size())
    return;
  for (auto& [id, job] : jobs_)
    if (may_forget(*job))
      return forget(id);
}

} // namespace troupe
