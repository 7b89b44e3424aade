// The lineage of a job for people, and as JSON.
// Threads: plain functions.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"
#include "storage/metadata/view.hpp"

namespace troupe {

// Its attempts, each with what it read, the tasks that ran, and what it wrote. errc::not_found:
// nothing is recorded of the job.
result<lineage_msg> lineage_of_job(const storage::metadata_view& in, uint64_t job);

} // namespace troupe
