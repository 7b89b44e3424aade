// What people ask the master to change: to submit, hold, requeue and kill jobs, to drain nodes.
#include "actors/cluster/admission.hpp"
#include "actors/cluster/master_core.hpp"

namespace troupe {
namespace {

constexpr size_t reason_max = 1000; // bytes

error too_long(const std::string& what, const std::string& reason) {
  return {errc::invalid,
          what + " has " + std::to_string(reason.size()) + " bytes: give at most 1000"};
}

} // namespace

void master_core::on(const submit_job_msg& x, moment at, master_outcome& out) {
  auto known = tokens_.find({x.user, x.token});
  if (known != tokens_.end()) {
    out.job = known->second;
    return;
  }
  if (auto admitted = admit(x, nodes_); !admitted) {
    out.refusal = admitted.error();
    return;
  }
  for (auto& need : x.spec->needs)
    if (!find(need->job)) {
      out.refusal = error{errc::invalid, "the job needs job " + std::to_string(need->job)
                                           + ", which is not known here: list the jobs"};
      return;
    }
  out.job = last_job_ + 1;
  for (uint32_t i = 0; i < std::max(x.spec->array, 1u); ++i) {
    job_submitted_msg submitted;
    submitted.job = last_job_ + 1;
    submitted.token = x.token;
    submitted.user = x.user;
    submitted.spec = std::make_unique<job_spec_msg>(*x.spec);
    submitted.array = x.spec->array != 0 ? out.job : 0;
    submitted.array_index = i;
    commit(change_of(std::move(submitted)), at, out);
  }
  place_ = true;
}

// A job that people named, if their reason is none too long either.
gang* master_core::asked_for(uint64_t id, const std::string& what, const std::string& reason,
                             master_outcome& out) {
  auto* job = lookup(id);
  if (!job)
    out.refusal = no_job(id);
  else if (reason.size() > reason_max)
    out.refusal = too_long("the reason to " + what + " job " + std::to_string(id), reason);
  return out.refusal ? nullptr : job;
}

void master_core::on(const kill_job_msg& x, moment at, master_outcome& out) {
  auto* job = asked_for(x.job, "kill", x.reason, out);
  if (!job)
    return;
  if (auto change = job->kill(x.reason))
    commit(std::move(*change), at, out);
}

void master_core::on(const hold_job_msg& x, moment at, master_outcome& out) {
  auto* job = asked_for(x.job, x.held ? "hold" : "release", x.reason, out);
  if (!job)
    return;
  if (job->final()) {
    out.refusal = error{errc::invalid, "job " + std::to_string(x.job)
                                         + " has ended: only a job that goes on can be held"};
    return;
  }
  if (auto change = job->hold(x.held, x.reason))
    commit(std::move(*change), at, out);
  place_ = true;
}

void master_core::on(const requeue_job_msg& x, moment at, master_outcome& out) {
  auto* job = asked_for(x.job, "requeue", x.reason, out);
  if (!job)
    return;
  if (job->final() || job->state() == job_state::queued) {
    out.refusal = error{errc::invalid, "job " + std::to_string(x.job)
                                         + (job->final() ? " has ended: submit it again"
                                                         : " waits in its queue already")};
    return;
  }
  if (x.attempt != job->attempt())
    return; // that one is over
  if (auto change = job->preempt(x.reason.empty() ? "requeued on request" : x.reason))
    commit(std::move(*change), at, out);
}

void master_core::on(const drain_node_msg& x, moment at, master_outcome& out) {
  auto* node = nodes_.find(x.node);
  if (!node) {
    out.refusal = error{errc::not_found, "there is no node \"" + printable(x.node)
                                           + "\": list the nodes of the cluster"};
    return;
  }
  if (x.reason.size() > reason_max) {
    out.refusal = too_long("the reason to drain node \"" + x.node + "\"", x.reason);
    return;
  }
  if (x.until_ns != 0 && (x.until_ns <= x.from_ns || x.until_ns <= at.wall_ns)) {
    out.refusal = error{errc::invalid, "the time to drain node \"" + x.node
                                         + "\" is over before it begins: give a later end"};
    return;
  }
  auto changed = node->durable;
  changed.draining = x.draining;
  changed.reason = x.draining ? x.reason : std::string{};
  changed.from_ns = x.draining ? x.from_ns : 0;
  changed.until_ns = x.draining ? x.until_ns : 0;
  changed.move = x.draining && x.move;
  if (!(changed == node->durable))
    commit(change_of(std::move(changed)), at, out);
  open_windows(at, out);
  place_ = true;
}

// What the hour brings to the nodes that drain: it begins, their gangs move, or it is over.
void master_core::open_windows(moment at, master_outcome& out) {
  for (auto& name : timed_) {
    auto& node = *nodes_.find(name);
    auto& window = node.durable;
    if (window.draining && window.until_ns != 0 && at.wall_ns >= window.until_ns) {
      auto over = window;
      over.draining = over.move = false;
      over.reason.clear();
      over.from_ns = over.until_ns = 0;
      commit(change_of(std::move(over)), at, out);
    }
    auto drains = window.draining && at.wall_ns >= window.from_ns;
    place_ = place_ || drains != node.drains;
    node.drains = drains;
    if (!drains || !window.move)
      continue;
    auto why = "node " + name + " drains" + (window.reason.empty() ? "" : ": " + window.reason);
    for (auto id : jobs_on(node))
      if (auto change = lookup(id)->move_from(name, why))
        commit(std::move(*change), at, out);
  }
}

// The newest job stays: its number must not be given again.
void master_core::on(const purge_jobs& x, moment at, master_outcome& out) {
  for (auto id : x.jobs) {
    auto* job = find(id);
    if (id >= last_job_ || (job && !may_forget(*job)))
      continue;
    job_purged_msg purged;
    purged.job = id;
    commit(change_of(std::move(purged)), at, out);
  }
}

} // namespace troupe
