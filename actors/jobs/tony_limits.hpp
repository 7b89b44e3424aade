// The limits that a TonY configuration sets: to what its job may ask for, and to its start.
#pragma once

#include "actors/jobs/tony_values.hpp"

namespace troupe {

// tony.task.max-total-instances and -<resource>. A job above one is a complaint of `values`.
void check_tony_limits(const job_spec_msg& job, tony_values& values);

// Both time-outs of registration are the time that a gang has until it is complete. Neither: it has
// the cluster's.
void read_registration_limit(job_spec_msg& job, tony_values& values);

} // namespace troupe
