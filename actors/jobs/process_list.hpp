// The processes of a task, as /proc shows them at one moment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

struct seen_process {
  pid_t id = 0;
  std::string name;
  uint64_t caught = 0; // a bit for each signal that it handles, from number 1

  bool catches(int signal) const { return (caught >> (signal - 1) & 1) != 0; }
};

// Those of process group `group` that still run.
std::vector<seen_process> processes_of_group(pid_t group);

// Kills the children of this process, and theirs, until there are none but `spared`. Does nothing
// in a process that is no subreaper: its children may be anybody's.
void end_descendants(pid_t spared);

struct tree_usage {
  double cpu_seconds = 0; // of those that live, and of those that they waited for
  uint64_t memory = 0;    // bytes that are resident
};

// A process and its descendants, parents first, at most 20,000. Reads theirs only, however many
// others there are.
std::vector<pid_t> tree_of(pid_t root);

// What they use.
tree_usage usage_of_tree(pid_t root);

// For people: each thread of it, its state, and where it is in the kernel as far as we may know.
std::string text_of_threads(const seen_process& x);

} // namespace troupe
