// What a gang does next, and what it tells its agents: the rules of a job's life.
#include "actors/jobs/gang.hpp"
#include "runtime/base/assert.hpp"

#include <algorithm>

namespace troupe {
namespace {

std::string seconds_of(duration x) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(x).count()) + " s";
}

duration of_ns(uint64_t x) {
  return duration{static_cast<int64_t>(x)};
}

} // namespace

std::string end_text(task_state state, int32_t code, const std::string& why) {
  auto because = why.empty() ? std::string{} : ": " + why;
  switch (state) {
  case task_state::lost:
    return "was lost" + because;
  case task_state::killed:
    return "was killed" + because;
  case task_state::succeeded:
    return "exited with code 0";
  default:
    return code != 0 ? "exited with code " + std::to_string(code) + because : "failed" + because;
  }
}

// ---- roles ----

// The chief of a job is `chief:0`, or `worker:0` where there is no such type (TonY).
bool gang::is_chief(const task& x) const {
  auto named_chief = std::any_of(spec().tasks.begin(), spec().tasks.end(),
                                 [](auto& type) { return type->name == "chief"; });
  return x.index == 0 && type_of(x).name == (named_chief ? "chief" : "worker");
}

// Whether the failure of this task stops the gang. One that never came to run does, whatever its
// type says: the others wait for it.
bool gang::stops_gang(const task& x) const {
  auto& type = type_of(x);
  if (type.role == task_role::sidecar)
    return false;
  auto never_ran = state_ == job_state::starting && x.stage == stage_;
  return !type.go_on || type.role == task_role::untracked || is_chief(x) || never_ran;
}

bool gang::type_has_ended(const task_type_msg& type) const {
  auto placed = false;
  for (auto& x : tasks_)
    if (&type_of(x) == &type && is_member(x)) {
      placed = true;
      if (!x.ended)
        return false;
    }
  return placed;
}

// Every task of it; where the gang goes on without some, one of them.
bool gang::type_has_succeeded(const task_type_msg& type) const {
  auto succeeded = [&](const task& x) {
    return &type_of(x) != &type || !is_member(x) || x.state == task_state::succeeded;
  };
  auto any = std::any_of(tasks_.begin(), tasks_.end(), [&](const task& x) {
    return &type_of(x) == &type && x.state == task_state::succeeded;
  });
  return type_has_ended(type) && any
         && (type.go_on || std::all_of(tasks_.begin(), tasks_.end(), succeeded));
}

// ---- placement ----

uint32_t gang::placed_of(size_t kind) const {
  auto there = [&](const task& x) { return x.kind == kind && !x.left; };
  return static_cast<uint32_t>(std::count_if(tasks_.begin(), tasks_.end(), there));
}

// Types that nothing of the attempt has been placed of, and whose conditions hold.
std::vector<size_t> gang::ready_types() const {
  auto& types = spec().tasks;
  auto by_name = [&](const std::string& name) -> const task_type_msg& {
    return **std::find_if(types.begin(), types.end(), [&](auto& x) { return x->name == name; });
  };
  auto fresh = state_ != job_state::running; // the next placement begins an attempt
  std::vector<size_t> out;
  for (size_t kind = 0; kind < types.size(); ++kind) {
    auto& after = types[kind]->after;
    auto ready
      = fresh ? after.empty()
              : placed_of(kind) == 0 && std::all_of(after.begin(), after.end(), [&](auto& name) {
                  return type_has_succeeded(by_name(name));
                });
    if (ready)
      out.push_back(kind);
  }
  return out;
}

bool gang::waits() const {
  switch (state_) {
  case job_state::queued:
    return !stopping_;
  case job_state::restarting:
    return stopping_ && next_ == job_state::restarting && all_ended();
  case job_state::running:
    return !stopping_ && !ready_types().empty();
  default:
    return false;
  }
}

// Not that of a later stage: its attempt has begun.
bool gang::waits_its_turn() const {
  return waits() && state_ != job_state::running;
}

std::string gang::kept_back() const {
  if (!waits_its_turn())
    return {};
  if (held_)
    return "it is held" + (held_reason_.empty() ? "" : ": " + held_reason_);
  return blocked_;
}

std::vector<size_t> gang::wants_placement(time_point now) const {
  auto later = state_ == job_state::restarting && (!retry_at_ || now < *retry_at_);
  auto back = waits_its_turn() && (held_ || !blocked_.empty());
  return waits() && !later && !back ? ready_types() : std::vector<size_t>{};
}

// ---- what is due ----

std::optional<cluster_changeUnion> gang::next(const moment& at, const node_test& reachable) {
  if (final())
    return {};
  if (auto limit = of_ns(spec().timeout_ns); limit > duration{} && started_ns_ != 0) {
    if (!over_by_)
      over_by_ = at.now + limit - std::chrono::nanoseconds{at.wall_ns - started_ns_};
    if (at.now >= *over_by_ && (!stopping_ || next_ == job_state::restarting))
      return stop(job_state::failed, "the job ran longer than its time-out of " + seconds_of(limit),
                  exit_class::user_error);
  }
  auto due = stopping_ ? next_of_stopping(at.now) : next_of_placed(at, reachable);
  return due || !waits() ? due : next_of_waiting(at);
}

std::optional<cluster_changeUnion> gang::next_of_stopping(time_point now) {
  if (!all_ended())
    return {};
  if (next_ != job_state::restarting)
    return become(next_, reason_);
  if (!retry_at_)
    retry_at_ = now + backoff();
  return {};
}

std::optional<cluster_changeUnion> gang::next_of_waiting(const moment& at) {
  auto limit = of_ns(spec().placement_timeout_ns);
  if (limit == duration{})
    return {};
  if (!kept_back().empty()) {
    placed_by_.reset();
    return {};
  }
  if (!placed_by_) {
    auto known = state_ == job_state::queued && !was_blocked_;
    auto since = known ? at.wall_ns - waiting_since_ns_ : 0;
    placed_by_ = at.now + limit - std::chrono::nanoseconds{since};
  }
  if (at.now < *placed_by_)
    return {};
  return stop(job_state::failed, "no room was found within " + seconds_of(limit),
              exit_class::infrastructure);
}

std::optional<cluster_changeUnion> gang::next_of_placed(const moment& at,
                                                        const node_test& reachable) {
  auto now = at.now;
  if (state_ == job_state::queued)
    return {};
  if (auto due = state_ == job_state::running ? silent_member(at) : std::nullopt)
    return due; // all of them before the generation that lacks them
  if (auto due = next_generation(at.wall_ns))
    return due;
  if (auto* x = failed_task()) {
    if (!settled(now, reachable))
      return {};
    return fail(name_of(*x) + " " + end_text(x->state, x->exit_code, x->reason), x->cause, x);
  }
  if (auto due = late_to_end(now))
    return due;
  if (auto due = outcome())
    return due;
  if (state_ != job_state::starting)
    return late_to_join(now);
  return all_registered() ? become(job_state::running, {}) : late_to_register(now);
}

// Whether the end of the job waits for this task.
bool gang::awaited(const task& x) const {
  if (type_of(x).role != task_role::tracked || !is_member(x))
    return false;
  for (auto& [rule, when] : ends_by_)
    if (when == time_point{} && spec().end_rules[rule]->type == type_of(x).name)
      return false;
  return true;
}

// A tracked type that has not been placed in this attempt.
const task_type_msg* gang::unplaced() const {
  for (size_t kind = 0; kind < spec().tasks.size(); ++kind)
    if (spec().tasks[kind]->role == task_role::tracked && placed_of(kind) == 0)
      return spec().tasks[kind].get();
  return nullptr;
}

// How the job ends when nothing is left to wait for.
std::optional<cluster_changeUnion> gang::outcome() {
  const task* failed = nullptr;
  auto succeeded = false;
  for (auto& x : tasks_) {
    if (!awaited(x))
      continue;
    if (!x.ended)
      return {};
    if (x.state == task_state::succeeded)
      succeeded = true;
    else if (!failed)
      failed = &x;
  }
  if (!succeeded && failed)
    return fail("every task failed, first " + name_of(*failed) + " "
                  + end_text(failed->state, failed->exit_code, failed->reason),
                failed->cause, failed);
  if (auto* missing = unplaced()) {
    if (state_ != job_state::running || !ready_types().empty())
      return {};
    return fail("type " + missing->name + " waits for a type that failed", exit_class::user_error);
  }
  if (all_ended())
    return become(job_state::succeeded, {});
  return stop(job_state::succeeded, "every awaited task has ended", exit_class::user_error);
}

duration gang::register_timeout() const {
  auto own = of_ns(spec().register_timeout_ns);
  return own != duration{} ? own : options_->register_timeout;
}

std::optional<cluster_changeUnion> gang::late_to_register(time_point now) {
  auto limit = register_timeout();
  // A node that fetches packages gives up by itself when that does not go on.
  auto fetches = [](const task& x) { return !x.ended && x.fetches; };
  if (!complete_by_ || std::any_of(tasks_.begin(), tasks_.end(), fetches))
    complete_by_ = now + limit;
  if (now < *complete_by_)
    return {};
  auto late = std::find_if(tasks_.begin(), tasks_.end(), [](const task& x) {
    return !x.ended && x.seen < task_state::registered;
  });
  TROUPE_ASSERT(late != tasks_.end());
  return fail(name_of(*late) + " did not register within " + seconds_of(limit),
              exit_class::infrastructure, &*late);
}

// Tasks that should have ended some time after others did (TonY: dependency time-outs).
std::optional<cluster_changeUnion> gang::late_to_end(time_point now) {
  auto type_ended = [&](const std::string& name) {
    return std::any_of(spec().tasks.begin(), spec().tasks.end(),
                       [&](auto& x) { return x->name == name && type_has_ended(*x); });
  };
  for (size_t i = 0; i < spec().end_rules.size(); ++i) {
    auto& rule = *spec().end_rules[i];
    if (!std::all_of(rule.after.begin(), rule.after.end(), type_ended) || type_ended(rule.type))
      continue;
    auto [timer, fresh] = ends_by_.try_emplace(i, now + of_ns(rule.within_ns));
    if (timer->second == time_point{} || now < timer->second)
      continue;
    if (!rule.ignore)
      return fail("the tasks of type " + rule.type + " did not end within "
                    + seconds_of(of_ns(rule.within_ns)) + " after those that they follow",
                  exit_class::user_error);
    timer->second = {}; // over: nobody waits for them
  }
  return {};
}

// ---- orders ----

// Whether it may be told the addresses of its gang now.
bool gang::may_run(const task& x) const {
  if (is_joining(x))
    return false;
  if (x.seen == task_state::running)
    return state_ == job_state::running && x.told < generation_;
  auto complete = state_ == job_state::running || x.stage < stage_;
  return complete || (spec().each_when_ready && x.port != 0);
}

gang::order_kind gang::order_for(const task& x, bool addresses_known) const {
  if (x.ended)
    return order_kind::none;
  if (stopping_)
    return order_kind::stop;
  auto to_start = (state_ == job_state::starting && x.stage == stage_) || is_joining(x);
  if (x.seen == task_state::pending && to_start)
    return order_kind::start;
  return addresses_known && may_run(x) ? order_kind::spec : order_kind::none;
}

uint64_t gang::grace_ns() const {
  return spec().grace_ns != 0 ? spec().grace_ns
                              : static_cast<uint64_t>(options_->stop_grace.count());
}

task_order gang::order_of(const task& x, order_kind kind, uint64_t epoch) const {
  if (kind == order_kind::start)
    return send_start{x.node, start_of(x, epoch)};
  if (kind == order_kind::spec)
    return send_spec{x.node, spec_of(x, epoch)};
  stop_task_msg stop;
  stop.epoch = epoch;
  stop.task = std::make_unique<task_id_msg>(id_of(x));
  stop.grace_ns = grace_ns();
  return send_stop{x.node, std::move(stop)};
}

void gang::orders(time_point now, uint64_t epoch, const node_test& reachable,
                  std::vector<task_order>& out) {
  if (final() || state_ == job_state::queued)
    return;
  // Also where a master that is new knows of a gang that runs, but not yet where.
  auto known
    = spec().each_when_ready || std::all_of(tasks_.begin(), tasks_.end(), [&](const task& x) {
        return x.port != 0 || x.ended || is_joining(x);
      });
  for (auto& x : tasks_) {
    auto kind = order_for(x, known);
    auto which = static_cast<int>(kind);
    auto repeated = x.ordered == which && now - x.ordered_at < options_->repeat_after;
    if (kind == order_kind::none || repeated || !reachable(x.node))
      continue;
    out.push_back(order_of(x, kind, epoch));
    x.ordered = which;
    x.ordered_at = now;
  }
}

bool gang::quiet() const {
  auto timed
    = spec().timeout_ns != 0 || spec().placement_timeout_ns != 0 || !spec().end_rules.empty();
  auto settled = [&](const task& x) {
    return x.ended
           || (x.seen == task_state::running && x.told >= generation_ && is_member(x)
               && !x.awaits_next);
  };
  if (final() || timed || stopping_)
    return final();
  return state_ == job_state::queued
         || (state_ == job_state::running && std::all_of(tasks_.begin(), tasks_.end(), settled)
             && !failed_task());
}

bool gang::all_ended() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const task& x) { return x.ended; });
}

bool gang::all_registered() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const task& x) {
    return x.ended || (x.seen >= task_state::registered && x.port != 0);
  });
}

} // namespace troupe
