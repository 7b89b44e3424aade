// Answers from the history and the lineage of jobs, for the master: on a thread of its own, so that
// a long question holds up nothing but the next one.
#pragma once

#include "actors/cluster/job_archive.hpp"
#include "actors/cluster/lineage_projection.hpp"
#include "runtime/base/clock.hpp"

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

namespace troupe {

// Which jobs are to be purged now.
struct find_expired {
  retention keep;
  size_t limit = 0;
};

struct expired_jobs {
  std::vector<uint64_t> jobs;
};

using archive_reader = caf::typed_actor<caf::replies_to<get_job_msg>::with<job_status_msg>,
                                        caf::replies_to<watch_job_msg>::with<job_events_msg>,
                                        caf::replies_to<list_jobs_msg>::with<job_list_msg>,
                                        caf::replies_to<get_history_msg>::with<job_history_msg>,
                                        caf::replies_to<get_usage_msg>::with<usage_msg>,
                                        caf::replies_to<get_lineage_msg>::with<lineage_msg>,
                                        caf::replies_to<find_expired>::with<expired_jobs>>;

enum class reader_work { on_own_thread, on_schedulers_threads };

// All outlive it.
archive_reader spawn_archive_reader(caf::actor_system& system, const job_archive& history,
                                    const lineage_projection& lineage, const clock& time,
                                    reader_work where);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::find_expired)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::expired_jobs)
