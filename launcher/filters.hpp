// Which jobs, tasks and hours are asked for, from the words that people give. Threads: plain
// functions. Errors: errc::invalid, with the words that would do.
#pragma once

#include "launcher/commands.hpp"
#include "runtime/protocol/messages.hpp"

namespace troupe::launcher {

// `worker:0`, or `worker` for every task of the type.
struct named_task {
  std::string type;
  int32_t index = -1;
};
result<named_task> read_task(const std::string& text);

// There is no such task of the job.
error no_task(uint64_t job, const std::string& task);

result<list_jobs_msg> filter_of(const jobs_options& options);
result<get_usage_msg> request_of(const usage_options& options);

} // namespace troupe::launcher
