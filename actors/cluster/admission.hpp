// Whether a job may enter the queue at all.
#pragma once

#include "actors/cluster/inventory.hpp"
#include "runtime/base/result.hpp"

namespace troupe {

resources demand_of(const task_type_msg& x);

// What its nodes have to be labelled.
node_labels labels_of(const task_type_msg& x);

// The name of a job, a task type or a node: up to 128 letters, digits, `_`, `-` and `.`, and no dot
// at the beginning.
bool is_name(const std::string& x);

// What admit() asks of a job whatever the cluster: all but that nodes can hold it and that its
// resources were shipped.
result<void> check_job(const job_spec_msg& spec);

// errc::invalid with a sentence that names the place and the mend: a name that is none; a task type
// without instances, cpus or command; two of one name; no attempts; a task that no living node can
// ever hold (while no node lives, the job is admitted and waits); more than 4096 tasks; paths that
// are not what they have to be, or that the lineage cannot keep; zero bytes in what a process gets.
result<void> admit(const submit_job_msg& x, const inventory& nodes);

} // namespace troupe
