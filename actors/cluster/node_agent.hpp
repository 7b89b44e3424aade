// The agent of a node: the shell around agent_core (the decisions), executor processes, the
// packages on its disk, and the link to the master.
//
//   master <--register, report--- agent <--register, report--- executor (one process per task)
//      \------start, spec, stop-----^  \-------orders-----------^
//
// Guarantees: tasks outlive the loss of the master (orphan_timeout) and the death of the agent; a
// new agent of the same node adopts the executors that are left. Supervised by: its process
// supervisor (launcher/serve.cpp).
#pragma once

#include "actors/cluster/agent_core.hpp"
#include "actors/cluster/interfaces.hpp"
#include "actors/cluster/master.hpp"
#include "actors/packages/package_cache.hpp"
#include "runtime/base/clock.hpp"

#include <caf/actor_system.hpp>

#include <functional>

namespace troupe {

class bridge;

// Starting and ending executor processes: the agent's only way to the operating system.
class executor_launcher {
public:
  virtual ~executor_launcher() = default;

  // Starts the executor of a task; returns its process id.
  virtual result<int> start(const start_task_msg& order) = 0;

  // Asks an executor to end its task (politely), or ends it.
  virtual void end(int process, bool by_force) = 0;

  struct ended_executor {
    int process;
    int32_t exit_code;
  };

  // Those that ended since the last call.
  virtual std::vector<ended_executor> collect() = 0;

  // Executors that an earlier life of this agent left running: their start orders and processes.
  virtual std::vector<std::pair<start_task_msg, int>> left_running() = 0;

  // Keeps the order of a task that cannot be started yet, until it is started or forgotten.
  virtual void remember(const start_task_msg& order) = 0;

  // Those that an earlier life kept.
  virtual std::vector<start_task_msg> left_waiting() = 0;

  // Forgets what is kept about a task that has ended.
  virtual void forget(const task_id_msg& task) = 0;
};

struct agent_ports {
  agent_options options;
  bridge* link = nullptr;
  executor_launcher* executors = nullptr;
  package_cache* packages = nullptr;
  std::string exec_program; // what runs a command beside a task (exec_session.hpp); empty: nothing
  std::string exec_user;    // as whom; empty: as this process
  duration tick = std::chrono::milliseconds{200};  // at most a second
  duration report_every = std::chrono::seconds{1}; // while it has tasks, without news of them
  std::function<void()> on_stop
    = [] {}; // the node was asked to stop or to leave, and every task has ended
};

// The node is to leave the cluster in order: its gangs move to other nodes.
struct leave_cluster {};

using node_agent
  = caf::typed_actor<caf::reacts_to<node_link_changed>, caf::reacts_to<leave_cluster>>::extend_with<
    agent_api>::extend_with<agent_executor_api>;

node_agent spawn_node_agent(caf::actor_system& system, agent_ports ports);

} // namespace troupe

template <>
struct caf::allowed_unsafe_message_type<troupe::leave_cluster> : std::true_type {};
