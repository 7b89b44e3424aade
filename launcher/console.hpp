// What commands print: tables and bars for people, JSON for programs.
#pragma once

#include "actors/jobs/job_file.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>

namespace troupe::launcher {

std::string json_of(const job_status_msg& x);
std::string json_of(const job_list_msg& x);
std::string json_of(const cluster_status_msg& x);

std::string name_of(job_state x);
std::string name_of(task_state x);

void print(const job_status_msg& x);

// Why a job waits, or how each of its attempts ended: the first failure of each.
void print_why(const job_status_msg& x);

void print(const std::vector<job_file_key>& keys, bool as_json);
void print(const job_list_msg& x);
void print_nodes(const cluster_status_msg& x);

// Live progress of a job: one line that is drawn over on a terminal, a line now and then elsewhere.
class progress_bar {
public:
  progress_bar();

  void show(const job_status_msg& x);

  // Prints a line of its own above the bar.
  void say(const std::string& line);

  // Ends the bar's line.
  void finish();

private:
  const bool terminal_;
  std::string shown_;
};

} // namespace troupe::launcher
