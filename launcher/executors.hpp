// Executor processes on this machine. What is needed to find them again after the agent's death
// (the start order and the process) lies in DIR/run/NODE/, one file per task, and is removed when
// the task has ended.
#pragma once

#include "actors/cluster/node_agent.hpp"

#include <memory>
#include <string>

namespace troupe::launcher {

struct executors_options {
  std::string program;        // troupe-executor
  std::string node;           // name of this node
  std::string agent_endpoint; // where executors register
  std::string state_directory;
  std::string address; // where other nodes reach the tasks
};

std::unique_ptr<executor_launcher> make_executors(executors_options options);

} // namespace troupe::launcher
