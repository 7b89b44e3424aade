// The processes of a group, as /proc shows them at one moment.
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

// For people: each thread of it, its state, and where it is in the kernel as far as we may know.
std::string text_of_threads(const seen_process& x);

} // namespace troupe
