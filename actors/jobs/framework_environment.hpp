// The environment that the scripts of a framework expect, beside the TROUPE_ variables.
//
//   all but troupe  what TonY gives every task: JOB_NAME (the type), TASK_INDEX, TASK_NUM (tracked
//                   tasks of the job), JOB_ID, APPID, ATTEMPT_NUMBER and SESSION_ID (0 for the
//                   first attempt), DISTRIBUTED_MODE, IS_CHIEF (on the chief only), TB_PORT (its
//                   own, in a task of type `tensorboard`)
//   tensorflow      CLUSTER_SPEC and TF_CONFIG, unless tasks start without knowing each other
//   pytorch         TonY's INIT_METHOD, RANK and WORLD, and all that torchrun sets
//   mxnet           what ps-lite reads: DMLC_
//   horovod         what gloo reads: HOROVOD_ and the slot plan, host by host; on a task of type
//                   `driver`, which is the job's own rendezvous then, CLUSTER_WORKER_LIST
//   mpi             mpi_launch.hpp
//   standalone      nothing more
//
// - Ranks of PyTorch count the tracked tasks of the gang, those of type `worker` first, in the
//   order of their indices: rank 0 is worker:0, at whose port they meet. Tasks of other roles have
//   none. A local rank counts the ranks at one address, so that two nodes on one machine are one
//   host; ranks of one host need not be consecutive.
// - A variable that the job sets itself wins, unless it tells one task of a type from the others,
//   or counts them: one text for all of them cannot be right (tells_tasks_apart).
//
// Plain functions; a spec is one that the cluster sent. Sources: TonY, com.linkedin.tony.runtime;
// PyTorch 2.13, torch/distributed/elastic/agent/server/local_elastic_agent.py.
#pragma once

#include "actors/jobs/rendezvous.hpp"
#include "runtime/protocol/messages.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace troupe {

using environment_variables = std::map<std::string, std::string>;

// For the task that `spec` was sent to. Empty for the framework troupe.
environment_variables framework_environment(framework kind, const cluster_spec_msg& spec);

// The scopes of the rendezvous, if it is this task's executor that serves it: that of the first
// rank of Horovod, unless the gang has a `driver`.
std::optional<rendezvous_scopes> rendezvous_of(framework kind, const cluster_spec_msg& spec);

// Whether this task is the first of the gang: chief:0, or worker:0 where no type is `chief`.
bool is_chief(const cluster_spec_msg& spec, const std::string& type, uint32_t index);

// Whether the task may show a UI at a second port, which TB_PORT names: the chief, unless the gang
// has a type `tensorboard` for that.
bool wants_ui_port(framework kind, const cluster_spec_msg& spec);

// Whether a variable keeps its value whatever the job sets.
bool tells_tasks_apart(const std::string& variable);

// Adds the variables of a framework to an environment in which the job set some itself.
void add_framework_environment(framework kind, const cluster_spec_msg& spec,
                               const std::set<std::string>& set_by_job, environment_variables& out);

} // namespace troupe
