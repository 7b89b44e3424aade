// The metrics of a job's tasks over time, read from the nodes that have them.
#pragma once

#include "actors/cluster/client.hpp"
#include "launcher/json.hpp"

namespace troupe::launcher {

struct attempt_series {
  uint32_t attempt = 0;
  std::vector<task_series> tasks;
};

// Of an attempt (0: the newest), one task ("worker:0"; empty: each), one metric (empty: all).
result<attempt_series> series_of(client& cluster, uint64_t job, uint32_t attempt,
                                 const job_history_msg& history, const std::string& task,
                                 const std::string& name);

} // namespace troupe::launcher
