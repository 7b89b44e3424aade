// A process group with a command in it, between fork and exec: what task_process watches.
//
// The command leads the group. The guard knows of the group before the command is executed, and
// kills it when this process dies.
#pragma once

#include "actors/jobs/control_group.hpp"
#include "actors/jobs/task_guard.hpp"
#include "actors/jobs/task_image.hpp"
#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

struct task_command {
  std::vector<std::string> command;               // the program, looked up in the task's PATH
  std::map<std::string, std::string> environment; // all of it; TROUPE_METRICS_FD is added
  std::string directory;                          // where it runs
  std::string log_file;
  std::string metrics_file; // its metrics over time; empty: not kept
  uint64_t log_bytes_max = 64 << 20;
  uint64_t memory = 0; // bytes, by a control group; without one, of each process' private data
                       // (RLIMIT_DATA); 0: no limit
  uint32_t cpus_declared = 1;              // their share, where there is a control group
  uint32_t processes = 16384;              // and threads, at most
  std::vector<std::string> accelerators;   // that are its own, to measure them
  std::vector<std::string> denied_devices; // files, of accelerators that are not
  std::string user;                        // as whom it runs; empty: as this process
  task_image image;                        // whose files it sees; `command` is looked up there then
  std::string enters_image;                // the program that enters it (launcher/in_image.hpp)
  bool trace_reads = false;                // tell what it opens for reading (read_trace.hpp)
  std::vector<int> inherited; // file descriptors that stay open, under their own numbers
};

// The group while it lives. A plain record: end_group() must be called once it was launched.
struct process_group {
  pid_t command = 0; // and the number of the group
  owned_fd exited;   // the pidfd of the command
  owned_fd output;   // its standard output and error, read end, non-blocking
  owned_fd metrics;  // read end, non-blocking
  owned_fd log;
  owned_fd opens;       // the listener of its read_trace
  std::string untraced; // why there is none, where one was wanted
  std::optional<control_group> limits;
  uint64_t logged = 0; // bytes in the log
};

// Starts the command in a group of its own. An error means that nothing runs; it names what could
// not be started: errc::not_found for a program or a directory, errc::io otherwise. The command
// gets SIGKILL when the calling thread ends.
result<void> launch_group(const task_command& what, const task_guard& guard,
                          process_group& running);

// Kills what is left of the group and returns the command's wait status; waits for the command.
// Where this process is a subreaper, processes that left the group are killed too.
int end_group(const task_guard& guard, process_group& running);

} // namespace troupe
