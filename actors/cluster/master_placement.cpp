// Which gangs get room now, and which have to make way.
#include "actors/cluster/admission.hpp"
#include "actors/cluster/master_core.hpp"

#include <algorithm>

namespace troupe {

namespace {

waiting_gang gang_of(uint64_t id, const gang& job, const std::vector<size_t>& kinds) {
  waiting_gang out{id, {}};
  for (auto kind : kinds) {
    auto& type = *job.spec().tasks[kind];
    out.types.push_back(
      {type.name, type.instances, demand_of(type), type.labels, type.instances_min});
  }
  return out;
}

} // namespace

// The jobs that a need is about: all of an array where it names the first.
std::vector<const gang*> master_core::jobs_of(const job_need_msg& need) const {
  std::vector<const gang*> out;
  auto* first = find(need.job);
  auto many = first && first->submitted().array == need.job ? first->spec().array : 1u;
  for (auto id = need.job; id < need.job + many; ++id)
    if (auto* job = find(id))
      out.push_back(job);
  return out;
}

// What keeps a job from being started while it needs others; empty: nothing does any more.
std::string master_core::blocked_by(const gang& job) const {
  for (auto& need : job.spec().needs)
    for (auto* other : jobs_of(*need))
      if (!other->final())
        return "it needs job " + std::to_string(other->submitted().job) + ", which has not ended";
  return {};
}

// Why the jobs that it needs, which have all ended, will never let it start.
std::string master_core::cannot_start(const gang& job) const {
  for (auto& need : job.spec().needs)
    for (auto* other : jobs_of(*need)) {
      auto succeeded = other->state() == job_state::succeeded;
      if (need->when != need_rule::ended && succeeded != (need->when == need_rule::succeeded))
        return "job " + std::to_string(other->submitted().job) + ", which it needs to "
               + (succeeded ? "fail, has succeeded" : "succeed, has not");
    }
  return {};
}

// Which jobs may not start yet for the sake of others, and which never will.
void master_core::keep_back(moment at, master_outcome& out) {
  std::map<uint64_t, uint32_t> busy; // of each array
  for (auto id : limited_)
    if (auto& job = *find(id); job.state() != job_state::queued)
      ++busy[job.submitted().array];
  for (auto id : std::set<uint64_t>{limited_}) {
    auto& job = *lookup(id);
    if (job.state() != job_state::queued || job.stopping())
      continue;
    auto why = blocked_by(job);
    if (why.empty())
      if (auto never = cannot_start(job); !never.empty()) {
        commit(*job.give_up(never), at, out);
        continue;
      }
    auto limit = job.spec().array_at_once;
    if (why.empty() && limit != 0 && busy[job.submitted().array]++ >= limit)
      why = "of its array, " + std::to_string(limit) + " run at once";
    job.block(why);
  }
}

// Later stages come first, since their jobs hold resources while they wait; then the jobs of a
// higher class, then the order of submission.
std::vector<waiting_gang> master_core::queue(time_point now) const {
  std::vector<waiting_gang> later;
  std::vector<waiting_gang> first;
  for (auto id : active_) {
    auto& job = *find(id);
    auto gang = gang_of(id, job, job.wants_placement(now));
    if (!gang.types.empty())
      (job.state() == job_state::running ? later : first).push_back(std::move(gang));
  }
  std::stable_sort(first.begin(), first.end(), [&](auto& a, auto& b) {
    return find(a.job)->spec().priority > find(b.job)->spec().priority;
  });
  later.insert(later.end(), std::make_move_iterator(first.begin()),
               std::make_move_iterator(first.end()));
  return later;
}

std::vector<node_room> master_core::rooms(const std::map<std::string, resources>& taken) const {
  std::vector<node_room> out;
  for (auto& [name, node] : nodes_.nodes()) {
    if (!node.usable())
      continue;
    auto free = node.capacity();
    if (auto some = taken.find(name); some != taken.end())
      free -= some->second;
    out.push_back({name, free, node.capacity(), node.durable.labels});
  }
  return out;
}

void master_core::place(moment at, master_outcome& out) {
  auto waiting = queue(at.now);
  if (waiting.empty())
    return grow(at, out);
  for (auto& chosen : place_fifo(rooms(used()), waiting)) {
    attempt_placed_msg placed;
    placed.job = chosen.job;
    placed.attempt = lookup(chosen.job)->next_attempt();
    placed.secret = random_.next();
    for (auto& x : chosen.tasks) {
      auto task = std::make_unique<placed_task_msg>();
      task->type = x.type;
      task->index = x.index;
      task->node = x.node;
      placed.tasks.push_back(std::move(task));
    }
    commit(change_of(std::move(placed)), at, out);
    std::erase_if(waiting, [&](auto& x) { return x.job == chosen.job; });
  }
  if (!waiting.empty())
    make_way(waiting, at, out);
}

// A gang that runs with fewer tasks than it may have starts again with more, when nobody waits and
// there is room: one at a time.
void master_core::grow(moment at, master_outcome& out) {
  for (auto id : active_) {
    auto& job = *find(id);
    auto since = std::chrono::nanoseconds{at.wall_ns - job.attempt_started_ns()};
    auto& types = job.spec().tasks;
    auto elastic = std::any_of(types.begin(), types.end(),
                               [](auto& type) { return type->instances_min != 0; });
    if (!elastic || job.state() != job_state::running || job.stopping()
        || since < options_.grow_after)
      continue;
    std::vector<size_t> kinds;
    uint32_t wanted = 0;
    for (size_t kind = 0; kind < types.size(); ++kind)
      if (job.placed_of(kind) != 0) {
        kinds.push_back(kind);
        wanted += types[kind]->instances;
      }
    if (wanted <= job.tasks().size())
      continue;
    auto taken = used();
    std::map<std::string, resources> own;
    add_held_by(job, own);
    for (auto& [node, amount] : own)
      taken[node] -= amount;
    auto better = place_fifo(rooms(taken), {gang_of(id, job, kinds)});
    if (better.empty() || better.front().tasks.size() <= job.tasks().size())
      continue;
    auto why = "there is room for " + std::to_string(better.front().tasks.size())
               + " tasks instead of " + std::to_string(job.tasks().size());
    if (auto change = job.preempt(why))
      return commit(std::move(*change), at, out);
  }
}

// Jobs that hold resources while they wait for a later stage could wait for each other for ever.
// Where the oldest would get no room even if everybody else had ended, the youngest starts again
// from its queue.
void master_core::make_way(const std::vector<waiting_gang>& waiting, moment at,
                           master_outcome& out) {
  auto& oldest = waiting.front();
  uint64_t youngest = 0;
  std::map<std::string, resources> own;
  std::map<std::string, resources> held;
  for (auto& each : waiting) {
    auto& job = *find(each.job);
    if (job.state() != job_state::running)
      continue;
    youngest = std::max(youngest, each.job);
    add_held_by(job, held);
    if (each.job == oldest.job)
      add_held_by(job, own);
  }
  if (youngest <= oldest.job || !place_fifo(rooms(held), {oldest}).empty()
      || place_fifo(rooms(own), {oldest}).empty())
    return;
  auto why
    = "it makes way for job " + std::to_string(oldest.job) + ", which is older and waits too";
  if (auto change = lookup(youngest)->preempt(why))
    commit(std::move(*change), at, out);
}

} // namespace troupe
