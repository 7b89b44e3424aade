// The typed interfaces of the cluster's actors: who may send what to whom, and what is answered.
#pragma once

#include "runtime/protocol/messages.hpp"

#include <caf/typed_actor.hpp>

namespace troupe {

// What clients ask the master, under the name "master". A client is any listed user.
using master_client_api = caf::typed_actor<
  caf::replies_to<submit_job_msg>::with<job_accepted_msg>, // durable when answered; one token, one
                                                           // job
  caf::replies_to<kill_job_msg>::with<done_msg>,           // durable when answered, as are the
  caf::replies_to<hold_job_msg>::with<done_msg>,           // next two
  caf::replies_to<requeue_job_msg>::with<done_msg>,
  caf::replies_to<ask_job_msg>::with<job_asked_msg>, // when the agents have taken it
  caf::replies_to<get_job_msg>::with<job_status_msg>,
  caf::replies_to<list_jobs_msg>::with<job_list_msg>,
  caf::replies_to<watch_job_msg>::with<job_events_msg>, // answers when there is news, or within a
                                                        // second
  caf::replies_to<get_cluster_msg>::with<cluster_status_msg>,
  caf::replies_to<read_log_msg>::with<log_chunk_msg>,
  caf::replies_to<exec_task_msg>::with<exec_started_msg>, // one session, one command
  caf::replies_to<exec_io_msg>::with<exec_news_msg>,      // when there is news, or within a second
  caf::replies_to<get_lineage_msg>::with<lineage_msg>,
  caf::replies_to<get_history_msg>::with<job_history_msg>,
  caf::replies_to<get_usage_msg>::with<usage_msg>,
  caf::replies_to<drain_node_msg>::with<done_msg>, // durable when answered
  caf::replies_to<find_packages_msg>::with<packages_lacking_msg>,
  caf::replies_to<push_package_msg>::with<bulk_access_msg>,
  caf::replies_to<stop_cluster_msg>::with<done_msg>>;

// What agents tell the master, under the name "master/agents".
using master_agent_api
  = caf::typed_actor<caf::replies_to<register_node_msg>::with<node_registered_msg>,
                     caf::replies_to<node_report_msg>::with<done_msg>,
                     caf::replies_to<fetch_package_msg>::with<bulk_access_msg>>;

// What the master orders an agent, under the name "agent".
using agent_api = caf::typed_actor<
  caf::replies_to<start_task_msg>::with<task_started_msg>,
  caf::replies_to<cluster_spec_msg>::with<done_msg>, caf::replies_to<stop_task_msg>::with<done_msg>,
  caf::replies_to<ask_task_msg>::with<done_msg>, // kept for the executor's next heartbeat
  caf::replies_to<exec_task_msg>::with<exec_started_msg>,
  caf::replies_to<exec_io_msg>::with<exec_news_msg>,
  caf::replies_to<read_log_msg>::with<log_chunk_msg>,
  caf::replies_to<stop_cluster_msg>::with<done_msg>>; // the agent ends its tasks and itself

// What an executor tells its agent, under the name "agent/executors". Both are answered with what
// the executor is to do: the registration when the whole gang is there, a report at once.
using agent_executor_api
  = caf::typed_actor<caf::replies_to<executor_register_msg>::with<executor_orders_msg>,
                     caf::replies_to<executor_report_msg>::with<executor_orders_msg>>;

} // namespace troupe
