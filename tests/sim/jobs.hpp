// The workloads over a whole cluster. What they check stands in job_ledger.hpp; besides:
// - when the faults end, every job ends within a bounded time, nothing of any job is left running,
//   and a gang that needs every node runs;
// - the death of the master alone, at whatever commit, restarts no healthy gang.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::testing {

// Jobs while the network, the processes, the machines and the master's disk fail.
uint64_t jobs_through_chaos(uint64_t seed, std::vector<std::string>& violations);

// A few jobs, once for each commit of the master: it dies right after that, right before it, or
// twice.
uint64_t master_restarts_at_every_step(uint64_t seed, std::vector<std::string>& violations);

// The same with stages, needs, arrays, holds, requeues and gangs that may grow.
uint64_t master_restarts_at_every_step_of_shaped_jobs(uint64_t seed,
                                                      std::vector<std::string>& violations);

// Machines that start a task, are heard of no more, lose their power and come back, while orders to
// them wait for a slow disk.
uint64_t power_cuts_behind_a_slow_disk(uint64_t seed, std::vector<std::string>& violations);

} // namespace troupe::testing
