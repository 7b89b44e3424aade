// Which gangs get room now, and which have to make way.
#include "actors/cluster/admission.hpp"
#include "actors/cluster/master_core.hpp"

#include <algorithm>

namespace troupe {

// Later stages come first, since their jobs hold resources while they wait; then the order of
// submission.
std::vector<waiting_gang> master_core::queue(time_point now) const {
  std::vector<waiting_gang> later;
  std::vector<waiting_gang> first;
  for (auto id : active_) {
    auto& job = *find(id);
    waiting_gang gang{id, {}};
    for (auto kind : job.wants_placement(now)) {
      auto& type = *job.spec().tasks[kind];
      gang.types.push_back({type.name, type.instances, demand_of(type)});
    }
    if (!gang.types.empty())
      (job.state() == job_state::running ? later : first).push_back(std::move(gang));
  }
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
    out.push_back({name, free, node.capacity()});
  }
  return out;
}

void master_core::place(moment at, master_outcome& out) {
  auto waiting = queue(at.now);
  if (waiting.empty())
    return;
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
    for (auto& task : job.tasks())
      if (!task.ended) {
        held[task.node] += demand_of(job.type_of(task));
        if (each.job == oldest.job)
          own[task.node] += demand_of(job.type_of(task));
      }
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
