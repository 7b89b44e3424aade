// What the failure of a task means: which one explains the others, and whether the gang starts
// again.
#include "actors/jobs/gang.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace troupe {

// The failure that explains the others: a task that was lost, was given too little or was killed
// before one whose own code found fault with that; then the first.
const gang::task* gang::failed_task() const {
  auto rank = [](const task& x) {
    return std::tuple{x.cause == exit_class::user_error, x.exit_code <= 128, x.ending};
  };
  const task* out = nullptr;
  for (auto& x : tasks_)
    if (x.ended && x.state != task_state::succeeded && is_member(x) && stops_gang(x)
        && (!out || rank(x) < rank(*out)))
      out = &x;
  return out;
}

// Whether no failure is still on its way that explains more than those that are known: none
// explains more than a lost node.
bool gang::settled(time_point now, const node_test& reachable) {
  auto* failed = failed_task();
  if (all_ended() || (failed && failed->cause == exit_class::lost_node))
    return true;
  if (!settled_by_)
    settled_by_ = now + options_->failures_settle;
  return now >= *settled_by_ && std::all_of(tasks_.begin(), tasks_.end(), [&](const task& x) {
           return x.ended || reachable(x.node);
         });
}

// Those that are charged to the job: a gang that is moved away does not pay for it.
uint32_t gang::restarts() const {
  return std::accumulate(restarts_.begin(), restarts_.end(), 0u)
         - restarts_[static_cast<size_t>(exit_class::preempted)];
}

cluster_changeUnion gang::stop(job_state next, std::string reason, exit_class cause,
                               const task* failed) const {
  gang_stopping_msg out;
  out.job = submitted_.job;
  out.attempt = attempt_;
  out.next = next;
  out.reason = std::move(reason);
  out.cause = cause;
  if (failed) {
    out.type = type_of(*failed).name;
    out.index = failed->index;
  }
  return change_of(std::move(out));
}

cluster_changeUnion gang::fail(const std::string& reason, exit_class cause,
                               const task* failed) const {
  auto again = restarts() + 1 < spec().attempts_max;
  for (auto& budget : spec().retries)
    if (budget->cause == cause)
      again = again && restarts_[static_cast<size_t>(cause)] < budget->restarts;
  return stop(again ? job_state::restarting : job_state::failed, reason, cause, failed);
}

// Not for what is no fault of the job: a node that was lost cannot be lost again at once.
duration gang::backoff() const {
  auto cause = ends_.empty() ? exit_class::user_error : ends_.back().cause;
  if (cause == exit_class::preempted || cause == exit_class::lost_node)
    return {};
  auto wait = options_->backoff_first;
  for (uint32_t i = 1; i < restarts() && wait < options_->backoff_max; ++i)
    wait *= 2;
  return std::min(wait, options_->backoff_max);
}

} // namespace troupe
