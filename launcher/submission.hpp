// Where a job that is submitted runs: on a cluster, or on one inside this process.
#pragma once

#include "actors/cluster/client.hpp"
#include "launcher/commands.hpp"

namespace troupe::launcher {

// Each returns the exit code of the command.
int submit_to(client& cluster, const shared_options& shared, const submit_options& options,
              job_spec_msg spec);
int submit_embedded(const shared_options& shared, const submit_options& options, job_spec_msg spec);

} // namespace troupe::launcher
