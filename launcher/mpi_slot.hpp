// troupe-rsh: how mpirun starts its daemons in the other tasks of a gang (mpi_launch.hpp).
//
//   troupe-rsh --wait            a task that waits: runs what it is sent, until the chief has ended
//   troupe-rsh HOST COMMAND...   as ssh would: the words are one line for a shell; its exit code is
//                                that of the command, or 255
//
// The environment names the gang: TROUPE_MPI_PEERS (the chief first), TROUPE_SECRET,
// TROUPE_LISTEN_FD. One connection, one command: the secret, a newline, the length of the command
// (4 bytes, little end first), the command; back comes its exit code, one byte. The command ends
// with its connection. What it prints is in the log of the task where it runs.
// Limits: 1 MiB of command, 5 s to send it, 64 connections at a time. The secret and the commands
// are not encrypted: the network between the nodes is MPI's, which has no encryption either.
#pragma once

#include <string>
#include <vector>

namespace troupe::launcher {

int wait_for_commands();
int run_at(const std::string& host, const std::vector<std::string>& words);

} // namespace troupe::launcher
