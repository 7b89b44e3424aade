// Nodes from an allocation of a Slurm cluster: one batch job, whose step runs a node on each of its
// machines. They are named slurm-0, slurm-1, ... and keep their names when Slurm starts the job
// again elsewhere. DIR is on a file system that all of these machines see. It holds the nodes'
// keys, made before the job is submitted, and the job's number in DIR/slurm.job; what the machines
// have to say is in DIR/logs/slurm.out.
#pragma once

#include "launcher/commands.hpp"

#include <string>

namespace troupe::launcher {

inline constexpr auto slurm_node_prefix = "slurm-";

// Where the machines of the Slurm cluster reach this one: its address towards Slurm's controller.
result<std::string> address_in_slurm();

// Makes the nodes' keys and submits the job.
result<void> submit_allocation(const shared_options& shared, const up_options& options);

struct allocation {
  std::string job;   // its number; empty: DIR has none
  std::string state; // as Slurm says it: "PENDING (Priority)", "FAILED (exit code 71:0)"
  bool ended = true;
};

result<allocation> find_allocation(const std::string& directory);

// Why an allocation that has ended did, as one sentence.
error end_of_allocation(const std::string& directory, const allocation& ended);

// Cancels the job, waits until it has ended, and forgets it. False: there was none.
result<bool> cancel_allocation(const std::string& directory);

} // namespace troupe::launcher
