// How an MPI program is launched in a gang: without ssh, and within each task's limits.
//
// Rank 0's task (the chief, or worker:0) runs the job's command, such as `mpirun ./train`. Each
// other tracked task runs `troupe-rsh --wait` in its place (launcher/mpi_slot.hpp): mpirun's
// daemons are started there by `troupe-rsh HOST COMMAND`, which mpirun takes for ssh. A host of MPI
// is a task: `worker-1`, with as many slots as the type of the chief has cpus.
//
//   chief: mpirun --fork--> troupe-rsh worker-1 orted ... --TCP, TROUPE_SECRET--> worker:1: orted
//
// The launcher is Open MPI 4 (ORTE), by its MCA variables. Plain functions.
#pragma once

#include "actors/jobs/task_launch.hpp"
#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <map>
#include <string>

namespace troupe {

// The variables that name the gang: TROUPE_MPI_PEERS, and what keeps tasks of one machine apart.
std::map<std::string, std::string> mpi_environment(const cluster_spec_msg& spec);

// Whether the task waits for mpirun's daemon instead of running the job's command.
bool waits_for_mpi(framework kind, const cluster_spec_msg& spec);

// A line for each tracked task, the chief's own first: `worker-0 slots=4`.
std::string mpi_hostfile(const cluster_spec_msg& spec, uint32_t cpus);

// Makes the task's command what it is to be: writes the hostfile into `directory`, and completes
// the environment, or replaces the command. `remote_shell`: the path of troupe-rsh.
result<void> prepare_mpi(const cluster_spec_msg& spec, const std::string& directory,
                         const std::string& remote_shell, task_command& out);

} // namespace troupe
