// What the master is asked of jobs that it may have forgotten, and what it purges.
#include "actors/cluster/master_shell.hpp"

#include <algorithm>

namespace troupe {
namespace {

constexpr auto history_deadline = std::chrono::seconds(20);
constexpr auto purge_every = std::chrono::seconds(30);
constexpr size_t purge_max = 1000; // at a time

template <class T>
auto deliver_failure(caf::typed_response_promise<T> promise) {
  return [promise](caf::error& e) mutable { promise.deliver(std::move(e)); };
}

// The newest `limit` of both, in the order of their numbers; what is at hand is the newer of two.
job_list_msg merged(job_list_msg kept, job_list_msg at_hand, const list_jobs_msg& filter) {
  std::map<uint64_t, std::unique_ptr<job_status_msg>> all;
  for (auto* list : {&at_hand, &kept})
    for (auto& each : list->jobs)
      if (matches(filter, *each))
        all.try_emplace(each->job, std::move(each));
  job_list_msg out;
  out.more = kept.more || all.size() > filter.limit;
  auto skipped = all.size() - std::min<size_t>(all.size(), filter.limit);
  for (auto& [id, each] : all) {
    if (skipped != 0) {
      --skipped;
      continue;
    }
    each->tasks.clear();
    out.jobs.push_back(std::move(each));
  }
  return out;
}

// Where a task ran; empty: it did not.
std::string node_of(const job_history_msg& history, const read_log_msg& x) {
  for (auto& run : history.attempts)
    for (auto& task : run->tasks)
      if (run->end->attempt == x.attempt && task->type == x.type && task->index == x.index)
        return task->node;
  return {};
}

} // namespace

caf::result<job_status_msg> on_get_job(master_pointer self, const get_job_msg& x) {
  if (self->state.core->find(x.job))
    return tell(self, self->state.core->job(x.job));
  return self->delegate(self->state.reader, x);
}

caf::result<job_list_msg> on_list(master_pointer self, const list_jobs_msg& x) {
  auto at_hand = self->state.core->jobs();
  std::erase_if(at_hand.jobs, [&](auto& each) { return !matches(x, *each); });
  if (x.limit == 0)
    return tell(self, result<job_list_msg>{std::move(at_hand)});
  auto promise = self->make_response_promise<job_list_msg>();
  self->request(self->state.reader, history_deadline, x)
    .then(
      [self, promise, x](const job_list_msg& kept) mutable {
        auto now = self->state.core->jobs();
        tell(self, promise, result<job_list_msg>{merged(kept, std::move(now), x)});
      },
      deliver_failure(promise));
  return promise;
}

caf::result<job_history_msg> on_history(master_pointer self, const get_history_msg& x) {
  auto promise = self->make_response_promise<job_history_msg>();
  auto answer = [self, promise, id = x.job](job_history_msg known) mutable {
    if (auto* job = self->state.core->find(id))
      add_current(known, *job); // the history is a moment behind
    tell(self, promise, result<job_history_msg>{std::move(known)});
  };
  self->request(self->state.reader, history_deadline, x)
    .then([answer](const job_history_msg& known) mutable { answer(known); },
          [self, answer, promise, id = x.job](caf::error& e) mutable {
            if (self->state.core->find(id))
              answer({});
            else
              promise.deliver(std::move(e));
          });
  return promise;
}

// The log of a task that the master does not have at hand: of an earlier attempt, or of a job that
// it has forgotten.
caf::result<log_chunk_msg> read_old_log(master_pointer self, const read_log_msg& x) {
  auto promise = self->make_response_promise<log_chunk_msg>();
  get_history_msg question;
  question.job = x.job;
  self->request(self->state.reader, history_deadline, std::move(question))
    .then(
      [self, promise, asked = x](const job_history_msg& history) mutable {
        auto wanted = asked;
        if (wanted.attempt == 0 && !history.attempts.empty())
          wanted.attempt = history.attempts.back()->end->attempt;
        auto node = node_of(history, wanted);
        auto agent = self->state.agents.find(node);
        if (node.empty())
          promise.deliver(fail(errc::not_found, "job " + std::to_string(wanted.job)
                                                  + " has no task '"
                                                  + task_name(wanted.type, wanted.index)
                                                  + "' in attempt " + std::to_string(wanted.attempt)
                                                  + "; see its tasks with: troupe job "
                                                  + std::to_string(wanted.job) + " --attempts"));
        else if (agent == self->state.agents.end())
          promise.deliver(
            fail(errc::unavailable, "node '" + node + "', which has the log, is not connected"));
        else
          self->request(agent->second, order_deadline, wanted)
            .then([promise](const log_chunk_msg& chunk) mutable { promise.deliver(chunk); },
                  deliver_failure(promise));
      },
      deliver_failure(promise));
  return promise;
}

void purge_when_due(master_pointer self) {
  auto& st = self->state;
  auto now = self->clock().now();
  if (now < st.purge_at)
    return;
  st.purge_at = now + history_deadline + purge_every;
  self->request(st.reader, history_deadline, find_expired{st.ports.keep, purge_max})
    .then(
      [self](const expired_jobs& found) {
        if (!found.jobs.empty())
          take(self, purge_jobs{found.jobs});
        self->state.purge_at = self->clock().now() + purge_every;
      },
      [](caf::error&) {});
}

} // namespace troupe
