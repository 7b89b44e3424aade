// The record of what was made from what: a projection of the master's event log onto the metadata
// store.
//
//   data files -> job -> attempt -> tasks -> outputs (with SHA-256 of each file)
//
// Guarantees: every event of the log is applied once, in order, with its sequence number in the
// same batch; what the process did not apply before its death is applied from the log by
// catch_up(). Files are hashed on a thread of its own, so that the master never waits for them (in
// the simulation on the caller's). A file that cannot be read is recorded without a hash.
// Threads: record(), settle() and show() from any thread; the last two wait and read the disk.
#pragma once

#include "actors/cluster/journal_records.hpp"
#include "runtime/base/result.hpp"

#include <memory>
#include <vector>

namespace troupe::storage {
class event_log;
class metadata;
} // namespace troupe::storage

namespace troupe {

class job_archive;

enum class lineage_work { on_own_thread, on_callers_thread };

class lineage_projection {
public:
  // `into` and `history` outlive it. `jobs_directory`: where jobs have their directories. The
  // history is applied with the lineage: one mark for both. The directory of a job that is purged
  // is removed before its history is.
  lineage_projection(storage::metadata& into, std::string jobs_directory,
                     const job_archive* history = nullptr,
                     lineage_work where = lineage_work::on_own_thread);
  ~lineage_projection();

  lineage_projection(const lineage_projection&) = delete;
  lineage_projection& operator=(const lineage_projection&) = delete;

  // Applies what the log holds beyond the projection's mark. Before the first record().
  result<void> catch_up(const storage::event_log& log);

  // The records that the log holds as first, first + 1 ...: after they are durable.
  void record(uint64_t first, const std::vector<cluster_event_msg>& records);

  // Waits until all that was recorded before is applied: who was told of a job's end then finds it
  // in the lineage. An event that has taken a second, as one of large files may, is not waited for.
  void settle() const;

  // The lineage of a job as text and as JSON, settled. errc::not_found: nothing is recorded of it.
  result<lineage_msg> show(uint64_t job) const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
