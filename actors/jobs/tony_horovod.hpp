// TonY's keys about Horovod's driver: the cluster serves the rendezvous itself, unless the file
// puts a command in the driver's place (debug mode).
#pragma once

#include "actors/jobs/tony_values.hpp"
#include "runtime/protocol/messages.hpp"

namespace troupe {

// Whether the job gets a type `driver` of one task; `has_one`: the file gives it instances. Fails
// the reading where a driver and the mode do not fit.
bool adds_horovod_driver(tony_values& values, bool has_one);

// Whether it is that driver, which need never end.
bool is_horovod_driver(const job_spec_msg& job, const task_type_msg& type);

} // namespace troupe
