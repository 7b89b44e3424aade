// Whether a job may enter the queue at all.
#pragma once

#include "actors/cluster/inventory.hpp"
#include "runtime/base/result.hpp"

namespace troupe {

resources demand_of(const task_type_msg& x);

// errc::invalid with a sentence that names the place and the mend: a name that is empty or has
// other characters than letters, digits, `_`, `-` and `.`; a task type without instances, cpus or
// command; two of one name; no attempts; a task that no living node can ever hold (while no node
// lives, the job is admitted and waits); more than 4096 tasks.
result<void> admit(const job_spec_msg& spec, const inventory& nodes);

} // namespace troupe
