// The actor of an executor: what the agent is told, and what is done at its orders.
//
// Private to task_executor; its guarantees are those of that header. It never blocks: what it does
// to the command goes through `surroundings`, which the simulation replaces.
#pragma once

#include "actors/cluster/interfaces.hpp"
#include "actors/jobs/file_uses.hpp"
#include "actors/jobs/task_executor.hpp"
#include "actors/jobs/task_process.hpp"

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace troupe {

inline constexpr int exit_of_stopped = 143;
inline constexpr int exit_of_late = 124; // as timeout(1) has it

// What happens around the actor, told to it by other threads.
struct link_changed {
  bool up;
};
struct command_started {
  pid_t process = 0;
};
struct stop_wanted {};
struct time_is_up {};
struct generation_wanted {};
struct command_gone {}; // no process of it is left; what it did is looked at
struct command_ended {
  task_exit how;
  std::shared_ptr<const task_file_uses> files{}; // may be none
};

// What the actor works with; all of it outlives the actor system.
struct surroundings {
  const task_executor_options& options;
  std::function<agent_executor_api(duration deadline)> agent;   // over the link that is up now
  std::function<void(cluster_spec_msg)> start;                  // the command: once
  std::function<bool(const cluster_spec_msg&)> tell_generation; // to the command, after start
  std::function<void(duration grace)> stop;                     // the command, after start
  std::function<void(task_request, log_level)> request;         // ask the command for something
  std::function<std::map<std::string, metric_value>()> metrics;
  std::function<std::optional<uint32_t>()> awaited; // the generation that the command waits behind
  std::function<void(int code)> finish; // the process of this executor: once, the last call
  int process;                          // its id
  uint16_t port;
  std::function<uint16_t()> ui_port; // 0: none
};

caf::actor spawn_task_shell(caf::actor_system& system, std::shared_ptr<surroundings> around);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::command_started)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::stop_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::time_is_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::generation_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::command_gone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::command_ended)
