// How far a job is: of each role (task type) what is done, and when it may end.
//
// A task tells by the metric `progress` (0 to 1), or by `epoch` of `epochs`, or `step` of `steps`;
// one that has succeeded is done. The end is estimated from what was seen since the attempt began
// or was first looked at; where too little was seen, nothing is said. Threads: plain values.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/protocol/messages.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe::launcher {

struct role_progress {
  std::string type;
  std::map<task_state, uint32_t> tasks; // how many are in each state
  std::optional<double> done;           // 0 to 1, of all tasks of the role
};

std::vector<role_progress> roles_of(const job_status_msg& x);

class progress_estimate {
public:
  // The time that is left, given what is done now; none where it cannot be told.
  std::optional<duration> left(const role_progress& role, uint32_t attempt, time_point now);

private:
  struct beginning {
    uint32_t attempt = 0;
    double done = 0;
    time_point at;
  };

  std::map<std::string, beginning> begun_; // by role
};

// `40 s`, `12 min`, `3 h`
std::string text_of_time(duration x);

// The newest metrics of the gang: of the first task that reports one.
std::map<std::string, double> gang_metrics(const job_status_msg& x);

} // namespace troupe::launcher
