// A client of a simulated cluster: it submits its jobs until they are accepted, follows them to
// their end, and kills those that it is to kill.
#pragma once

#include "actors/cluster/interfaces.hpp"
#include "tests/sim/job_cluster.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

namespace troupe::testing {

// The link to the master is up.
struct master_found {
  master_client_api master;
};

// `jobs` outlive the actor, and may grow.
caf::actor spawn_job_client(sim_node& here, job_ledger& seen,
                            std::vector<std::unique_ptr<wanted_job>>& jobs);

} // namespace troupe::testing

template <>
struct caf::allowed_unsafe_message_type<troupe::testing::master_found> : std::true_type {};
