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
      {type.name, type.instances, demand_of(type), labels_of(type), type.instances_min});
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

// Why a job that it needs, and that has ended, will never let it start.
std::string master_core::cannot_start(const gang& job) const {
  for (auto& need : job.spec().needs)
    for (auto* other : jobs_of(*need)) {
      auto succeeded = other->state() == job_state::succeeded;
      auto matters = other->final() && need->when != need_rule::ended;
      if (matters && succeeded != (need->when == need_rule::succeeded))
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

std::vector<node_room> master_core::rooms() const {
  std::vector<node_room> out;
  out.reserve(nodes_.row().size());
  for (auto* node : nodes_.row())
    if (node->usable())
      out.push_back({node->durable.name, node->free(), node->capacity(), &node->durable.labels});
  return out;
}

// A record of tasks that were placed.
attempt_placed_msg master_core::placement_of(uint64_t id, uint32_t attempt,
                                             const std::vector<placed>& tasks) {
  attempt_placed_msg out;
  out.job = id;
  out.attempt = attempt;
  out.secret = random_.next();
  for (auto& x : tasks) {
    auto task = std::make_unique<placed_task_msg>();
    task->type = x.type;
    task->index = x.index;
    task->node = x.node;
    out.tasks.push_back(std::move(task));
  }
  return out;
}

// Whether it was placed.
bool master_core::place_next(uint64_t id, fifo_placement& room, moment at, master_outcome& out) {
  auto& job = *lookup(id);
  auto chosen = room.next(gang_of(id, job, job.ready_types()));
  if (!chosen)
    return false;
  commit(change_of(placement_of(id, job.next_attempt(), chosen->tasks)), at, out);
  return true;
}

void master_core::place(moment at, master_outcome& out) {
  std::optional<fifo_placement> room;
  uint64_t first = 0; // of those that go on waiting
  front_ = 0;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    auto id = (next++)->job; // who is placed waits no more
    if (find(id)->wants_placement(at.now).empty())
      continue;
    if (!room)
      room.emplace(rooms());
    if (place_next(id, *room, at, out))
      continue;
    first = first != 0 ? first : id;
    if (room->blocked()) {
      front_ = id;
      break;
    }
  }
  if (!room)
    grow(at, out);
  else if (first != 0)
    make_way(first, at, out);
}

// Gives a gang that changes its members while it runs as many more as fit.
void master_core::join_more(uint64_t id, moment at, master_outcome& out) {
  auto& job = *find(id);
  waiting_gang wanted{id, {}};
  for (auto [kind, count] : job.wants_more(at.wall_ns)) {
    auto& type = *job.spec().tasks[kind];
    wanted.types.push_back({type.name, count, demand_of(type), labels_of(type), 1});
  }
  if (wanted.types.empty())
    return;
  auto chosen = fifo_placement{rooms()}.next(wanted);
  if (!chosen)
    return;
  for (auto& x : chosen->tasks)
    for (size_t kind = 0; kind < job.spec().tasks.size(); ++kind)
      if (job.spec().tasks[kind]->name == x.type)
        x.index += job.next_index(kind);
  auto placed = placement_of(id, job.attempt(), chosen->tasks);
  placed.joining = true;
  commit(change_of(std::move(placed)), at, out);
}

// A gang that runs with fewer tasks than it may have gets more, or starts again with more, when
// nobody waits and there is room: one at a time starts again.
void master_core::grow(moment at, master_outcome& out) {
  for (auto id : std::set<uint64_t>{elastic_}) {
    auto& job = *find(id);
    if (job.regroups()) {
      join_more(id, at, out);
      continue;
    }
    auto since = std::chrono::nanoseconds{at.wall_ns - job.attempt_started_ns()};
    auto& types = job.spec().tasks;
    if (job.state() != job_state::running || job.stopping() || since < options_.grow_after)
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
    std::map<std::string, resources> own;
    add_held_by(job, own);
    auto without = rooms();
    for (auto& room : without)
      if (auto mine = own.find(std::string{room.name}); mine != own.end())
        room.free += mine->second;
    auto better = fifo_placement{std::move(without)}.next(gang_of(id, job, kinds));
    if (!better || better->tasks.size() <= job.tasks().size())
      continue;
    auto why = "there is room for " + std::to_string(better->tasks.size()) + " tasks instead of "
               + std::to_string(job.tasks().size());
    if (auto change = job.preempt(why))
      return commit(std::move(*change), at, out);
  }
}

// Jobs that hold resources while they wait for a later stage could wait for each other for ever.
// Where the oldest would get no room even if everybody else had ended, the youngest starts again
// from its queue.
void master_core::make_way(uint64_t oldest, moment at, master_outcome& out) {
  uint64_t youngest = 0;
  std::map<std::string, resources> held;
  for (auto& [later_stage, priority, id] : waiting_) {
    if (!later_stage)
      break;
    youngest = std::max(youngest, id);
    add_held_by(*find(id), held);
  }
  if (youngest <= oldest)
    return;
  auto& job = *find(oldest);
  std::map<std::string, resources> own;
  if (job.state() == job_state::running)
    add_held_by(job, own);
  auto fits_beside = [&](const std::map<std::string, resources>& taken) {
    auto left = rooms();
    for (auto& room : left) {
      room.free = room.capacity;
      if (auto some = taken.find(std::string{room.name}); some != taken.end())
        room.free -= some->second;
    }
    return fifo_placement{std::move(left)}
      .next(gang_of(oldest, job, job.ready_types()))
      .has_value();
  };
  if (fits_beside(held) || !fits_beside(own))
    return;
  auto why = "it makes way for job " + std::to_string(oldest) + ", which is older and waits too";
  if (auto change = lookup(youngest)->preempt(why))
    commit(std::move(*change), at, out);
}

} // namespace troupe
