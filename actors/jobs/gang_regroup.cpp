// A gang that changes its members while it runs: those that live go on without one that was lost,
// and take in another, as the next generation of the same attempt.
//
//   task ends --log--> gang_regrouped --spec--> every member: its rank in the new generation
//   all wait for a later one --log--> gang_regrouped; some do, for long --> the others are lost
//   room ------------> attempt_placed(joining) --registered--> gang_regrouped --spec--> all
#include "actors/jobs/gang.hpp"

#include <algorithm>

namespace troupe {

bool gang::regroups() const {
  return std::any_of(spec().tasks.begin(), spec().tasks.end(), [](auto& x) { return x->regroup; });
}

// Whether it was lost, and did not end by what its own code found: that the others would find too.
bool gang::may_leave(const task& x) const {
  auto by_itself = x.cause == exit_class::user_error && x.exit_code <= 128;
  return type_of(x).regroup && x.state != task_state::succeeded
         && (x.state == task_state::lost || !by_itself);
}

// Whether as many live as the type needs.
bool gang::has_enough(size_t kind) const {
  auto& type = *spec().tasks[kind];
  auto least = type.instances_min != 0 ? type.instances_min : type.instances;
  auto alive = [&](const task& x) { return x.kind == kind && !x.ended && is_member(x); };
  return std::count_if(tasks_.begin(), tasks_.end(), alive) >= least;
}

// Since the members of today met, or were placed.
duration gang::generation_age(int64_t wall_ns) const {
  return duration{wall_ns - std::max(regrouped_ns_, attempt_started_ns_)};
}

// Of the living members of types that regroup.
gang::awaiting gang::who_awaits() const {
  awaiting out;
  for (auto& x : tasks_) {
    if (!is_member(x) || x.ended || !type_of(x).regroup)
      continue;
    if (x.awaits_next)
      ++out.waiting;
    else if (!out.silent)
      out.silent = &x;
  }
  return out;
}

// Whether the members lost each other, and none of them is gone. Where that happens again soon, it
// is not helped by one more generation: they give up, and the gang starts again.
bool gang::all_await_next(int64_t wall_ns) const {
  if (generation_ != 0 && generation_age(wall_ns) < 2 * register_timeout())
    return false;
  auto members = who_awaits();
  return members.waiting != 0 && !members.silent;
}

// One that the others wait for, and that neither works with them nor waits itself, has stopped
// without an end. Its node is told to kill it. It has the time to start that it had to register.
std::optional<cluster_changeUnion> gang::silent_member(const moment& at) {
  auto members = who_awaits();
  if (members.waiting == 0 || !members.silent) {
    heard_by_.reset();
    return {};
  }
  if (!heard_by_)
    heard_by_
      = at.now + std::max(options_->await_timeout, register_timeout() - generation_age(at.wall_ns));
  if (at.now < *heard_by_)
    return {};
  return end_of(*members.silent, task_state::lost, 0, "the others of its gang wait for it",
                exit_class::infrastructure);
}

std::optional<cluster_changeUnion> gang::next_generation(int64_t wall_ns) const {
  if (state_ != job_state::running || !regroups())
    return {};
  auto lost = false;
  auto awaits_more = false;
  gang_regrouped_msg out;
  for (auto& x : tasks_) {
    if (is_joining(x) && !x.ended) {
      if (x.seen < task_state::registered || x.port == 0) {
        awaits_more = true;
        continue;
      }
      auto joined = std::make_unique<placed_task_msg>();
      joined->type = type_of(x).name;
      joined->index = x.index;
      joined->node = x.node;
      out.joined.push_back(std::move(joined));
    } else if (is_member(x) && x.ended && x.state != task_state::succeeded && stops_gang(x)) {
      if (!may_leave(x) || !has_enough(x.kind))
        return {};
      lost = true;
    }
  }
  if (!lost && (out.joined.empty() || awaits_more) && !all_await_next(wall_ns))
    return {};
  out.job = submitted_.job;
  out.attempt = attempt_;
  out.generation = generation_ + 1;
  return change_of(std::move(out));
}

void gang::apply(const gang_regrouped_msg& x, int64_t wall_ns) {
  generation_ = x.generation;
  secret_ = x.secret;
  regrouped_ns_ = wall_ns;
  settled_by_.reset();
  heard_by_.reset();
  auto joined = [&](const task& y) {
    return std::any_of(x.joined.begin(), x.joined.end(),
                       [&](auto& z) { return z->type == type_of(y).name && z->index == y.index; });
  };
  size_t members = 0;
  for (auto& y : tasks_) {
    if (y.ended && y.state != task_state::succeeded)
      y.left = true;
    else if (y.generation >= generation_)
      y.generation = joined(y) ? generation_ : generation_ + 1;
    members += is_member(y) ? 1 : 0;
    y.awaits_next = false;
    y.ordered = 0;
  }
  tell(wall_ns, "generation " + std::to_string(generation_) + " of attempt "
                  + std::to_string(attempt_) + " has " + std::to_string(members) + " tasks");
}

// One that never registers is let go; its node is told to stop it when it reports it.
std::optional<cluster_changeUnion> gang::late_to_join(time_point now) {
  auto late = std::find_if(tasks_.begin(), tasks_.end(), [&](const task& x) {
    return is_joining(x) && !x.ended && x.seen < task_state::registered;
  });
  if (late == tasks_.end()) {
    joined_by_.reset();
    return {};
  }
  if (!joined_by_ || late->fetches)
    joined_by_ = now + register_timeout();
  if (now < *joined_by_)
    return {};
  joined_by_.reset();
  return end_of(*late, task_state::failed, 0, "it did not register in time",
                exit_class::infrastructure);
}

uint32_t gang::next_index(size_t kind) const {
  uint32_t out = 0;
  for (auto& x : tasks_)
    if (x.kind == kind)
      out = std::max(out, x.index + 1);
  return out;
}

// The more have been lost in the attempt, the longer after the last change.
std::vector<std::pair<size_t, uint32_t>> gang::wants_more(int64_t wall_ns) const {
  std::vector<std::pair<size_t, uint32_t>> out;
  if (state_ != job_state::running || stopping_ || !regroups())
    return out;
  auto wait = options_->backoff_first;
  auto first = true;
  for (auto& x : tasks_) {
    if (is_joining(x) && !x.ended)
      return {};
    if ((x.left || is_joining(x)) && !std::exchange(first, false))
      wait = std::min(wait * 2, options_->backoff_max);
  }
  if (generation_age(wall_ns) < wait)
    return {};
  for (size_t kind = 0; kind < spec().tasks.size(); ++kind) {
    auto& type = *spec().tasks[kind];
    auto there = static_cast<uint32_t>(std::count_if(
      tasks_.begin(), tasks_.end(), [&](const task& x) { return x.kind == kind && is_member(x); }));
    if (type.regroup && there != 0 && there < type.instances)
      out.emplace_back(kind, type.instances - there);
  }
  return out;
}

} // namespace troupe
