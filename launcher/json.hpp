// Answers as JSON, for programs: what the commands print with --json, and what the HTTP API serves
// (docs/openapi.json). Times are nanoseconds since 1970, sizes bytes. A text that is no UTF-8,
// which JSON has to be, has a replacement character in each such place. Threads: plain functions.
#pragma once

#include "actors/jobs/job_file.hpp"
#include "actors/jobs/metric_series.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>
#include <vector>

namespace troupe::launcher {

struct task_series {
  std::string task; // "worker:0"
  metric_series metrics;
};

std::string json_of(const job_status_msg& x);
std::string json_of(const job_list_msg& x);
std::string json_of(const job_events_msg& x);
std::string json_of(const cluster_status_msg& x);
std::string json_of_nodes(const cluster_status_msg& x);
std::string json_of(const job_history_msg& x); // its attempts
std::string json_of_config(const job_spec_msg& x);
std::string json_of(const usage_msg& x);
std::string json_of(const log_chunk_msg& x);

// A line that a task printed, itself one line: {"attempt": 1, "task": "worker:0", "text": "..."}
std::string json_of_line(uint32_t attempt, const std::string& task, const std::string& text);
std::string json_of(uint64_t job, uint32_t attempt, const std::vector<task_series>& tasks);
std::string json_of(const std::vector<job_file_key>& keys);

// Where the HTTP server shows the UI of a task, "/proxy/3/worker:0/"; empty: it has none now.
std::string ui_path(uint64_t job, const task_status_msg& x);

// {"error": "one sentence"}
std::string json_of(const error& x);

} // namespace troupe::launcher
