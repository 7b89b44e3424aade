// What is kept of every job after the master has forgotten it: its slice of the event log, and what
// its tasks held. A projection of the master's event log, applied by lineage_projection in the same
// batch as the lineage, with the one mark that both have (keys: storage/formats.md).
//
// A question folds the slice with the same `gang` as the master, so its answer is the master's.
// Guarantees: every event counts once, also in the usage, whatever crashes between. A job is kept
// until its `job_purged`; the usage of its tasks stays.
// Threads: every function from any thread; changes_of() by one at a time, in the order of the log.
// Errors: errc::not_found, errc::corrupt, and those of the store.
#pragma once

#include "actors/jobs/gang.hpp"
#include "runtime/base/result.hpp"
#include "storage/store.hpp"

#include <vector>

namespace troupe {

// What is purged: jobs that ended so long ago, and the oldest beyond so many.
struct retention {
  duration keep_for = std::chrono::hours{30 * 24};
  uint64_t keep_jobs = 100'000;
};

class job_archive {
public:
  // Both outlive it; the options say where the logs of tasks are.
  job_archive(const storage::store& from, const gang_options& options);

  // The changes that an event of the log makes to the keys of the history.
  result<storage::batch> changes_of(uint64_t sequence, const cluster_event_msg& event) const;

  result<job_status_msg> job(uint64_t id) const;
  result<job_events_msg> events_after(uint64_t id, uint64_t sequence) const;
  result<job_history_msg> attempts(uint64_t id) const;

  // Jobs that have ended, the newest first, at most `limit`; none has its tasks.
  result<job_list_msg> jobs(const list_jobs_msg& filter) const;

  // Of tasks that ended in the hours since, and of those that still run until `now_ns`.
  result<usage_msg> usage(const get_usage_msg& request, int64_t now_ns) const;

  // Which jobs are to be purged, those that ended first before others, at most `limit`.
  result<std::vector<uint64_t>> expired(const retention& keep, int64_t now_ns, size_t limit) const;

private:
  struct slice;

  result<slice> slice_of(uint64_t id) const;
  result<void> place(const attempt_placed_msg& x, int64_t time_ns, storage::batch& to) const;
  result<void> count_end(const task_ended_msg& x, int64_t time_ns, storage::batch& to) const;
  result<void> close(const cluster_event_msg& event, const job_changed_msg& x,
                     storage::batch& to) const;
  result<void> purge(uint64_t id, storage::batch& to) const;

  const storage::store& store_;
  const gang_options& options_;
};

// Whether a job is one of those that are asked for.
bool matches(const list_jobs_msg& filter, const job_status_msg& x);

// The attempt that the master has at hand replaces what the history has of it, or is added.
void add_current(job_history_msg& to, const gang& job);

} // namespace troupe
