// The metrics of a job's tasks over time, read from the nodes that have them.
#pragma once

#include "actors/cluster/client.hpp"
#include "launcher/json.hpp"

namespace troupe::launcher {

struct attempt_series {
  uint32_t attempt = 0;
  std::vector<task_series> tasks;
};

struct series_filter {
  uint32_t attempt = 0;          // 0: the newest
  std::string task;              // "worker:0"; empty: each
  std::string name;              // of one metric; empty: all
  size_t samples_max = SIZE_MAX; // of all together
};

// errc::invalid where there are more samples than may be.
result<attempt_series> series_of(client& cluster, uint64_t job, const job_history_msg& history,
                                 const series_filter& wanted);

} // namespace troupe::launcher
