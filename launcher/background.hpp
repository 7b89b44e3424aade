// Processes that outlive the command which started them: each leads a session of its own, writes to
// its own log file, and leaves its number in DIR/run/NAME.pid.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace troupe::launcher {

// Starts `command` (program first) under `name`.
result<pid_t> start_background(const std::string& directory, const std::string& name,
                               const std::vector<std::string>& command);

struct background_process {
  std::string name;
  pid_t pid;
};

// Those that were started for `directory` and still run this program.
std::vector<background_process> background_processes(const std::string& directory);

// Waits until none of them runs; false at the deadline.
bool wait_gone(const std::string& directory, duration limit);

} // namespace troupe::launcher
