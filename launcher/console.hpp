// What commands print for people: tables and sentences. For programs: json.hpp.
#pragma once

#include "actors/jobs/job_file.hpp"
#include "launcher/json.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>

namespace troupe::launcher {

std::string name_of(job_state x);
std::string name_of(task_state x);

// The name of a user who is kept by number, where this machine knows it; else what is given. The
// other way: the number of a name.
std::string user_name(const std::string& number);
std::string user_number(const std::string& name);

// `jobs 17 to 19`, `job 17`
std::string jobs_text(uint64_t first, uint32_t count);

void print(const job_status_msg& x);

// Why a job waits, or how each of its attempts ended: the first failure of each.
void print_why(const job_status_msg& x);

void print(const std::vector<job_file_key>& keys);
void print(const job_list_msg& x);
void print_nodes(const cluster_status_msg& x);
void print(const usage_msg& x);
void print_attempts(uint64_t job, const job_history_msg& x);

// A table with a line for each metric; on a terminal, how it went as well.
void print(const std::vector<task_series>& tasks, bool terminal);

} // namespace troupe::launcher
