// Executor processes on this machine. A journal keeps what the next life of the agent needs to find
// them again.
#pragma once

#include "actors/cluster/node_agent.hpp"
#include "actors/jobs/accelerators.hpp"
#include "actors/packages/work_directories.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::launcher {

struct executors_options {
  std::string program;                        // troupe-executor
  std::string node;                           // name of this node
  std::string agent_endpoint;                 // where executors register
  std::string journal;                        // the file of its task_journal
  std::string address;                        // where other nodes reach the tasks
  std::string task_user;                      // as whom the tasks run; empty: as this node
  std::vector<accelerator> accelerators = {}; // of this node, by their number
};

// `work` outlives them.
std::unique_ptr<executor_launcher> make_executors(executors_options options,
                                                  work_directories& work);

} // namespace troupe::launcher
