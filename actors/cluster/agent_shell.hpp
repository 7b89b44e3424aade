// The shell around agent_core, shared by its files: what it knows of executors, and what it tells
// them. Private to the agent.
#pragma once

#include "actors/cluster/exec_desk.hpp"
#include "actors/cluster/node_agent.hpp"
#include "runtime/actor_error.hpp"

#include <caf/all.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

// Time to look for executors that have ended.
struct look_for_ends {};

} // namespace troupe

template <>
struct caf::allowed_unsafe_message_type<troupe::look_for_ends> : std::true_type {};
template <>
struct caf::allowed_unsafe_message_type<troupe::fetch_outcome> : std::true_type {};

namespace troupe {

using agent_actor
  = node_agent::extend<caf::reacts_to<caf::tick_atom>, caf::reacts_to<look_for_ends>,
                       caf::reacts_to<fetch_outcome>>;

// A running executor, as the shell knows it.
struct executor_state {
  task_id_msg task;
  int process = 0;
  uint32_t command = 0;                   // the process of its task, while that runs
  std::unique_ptr<cluster_spec_msg> spec; // the gang is complete
  bool stop = false;
  uint64_t grace_ns = 0;
  std::vector<task_request> requests;                       // for its next heartbeat
  log_level level{};                                        // of one among them
  caf::typed_response_promise<executor_orders_msg> waiting; // its registration
  bool runs = false; // it waits for a later generation than this one
  uint32_t generation = 0;
};

struct agent_state {
  static inline const char* name = "agent";

  agent_ports ports;
  std::unique_ptr<agent_core> core;
  std::map<std::string, executor_state> executors; // by task_key
  master_agent_api master;
  exec_desk commands; // that people run beside the tasks
  bool registered = false;
  bool report_open = false;
  bool report_wanted = false;
  time_point last_report{};
  std::string jobs_directory; // as the master said
  bool leaving = false;
  bool stopping = false;
  int looks_left = 0; // for the ends of executors
};

using agent_pointer = agent_actor::stateful_pointer<agent_state>;

// Runs what the core decided.
void run(agent_pointer self, const agent_effects& effects);

// Answers the registration of an executor that waits, when there is something to tell it.
void answer_waiting(executor_state& x);

// What executors say, and what is asked of their tasks.
caf::result<executor_orders_msg> on_register(agent_pointer self, const executor_register_msg& x);
caf::result<executor_orders_msg> on_report(agent_pointer self, const executor_report_msg& x);
caf::result<done_msg> on_ask(agent_pointer self, const ask_task_msg& x);
caf::result<exec_started_msg> on_exec(agent_pointer self, const exec_task_msg& x);

} // namespace troupe
