// What a task has printed, or its metrics over time, as its node keeps it.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>

namespace troupe {

// A piece of that file, from an offset on; empty where nothing was printed yet. errc::invalid for
// what is no task type.
result<log_chunk_msg> read_task_log(const std::string& jobs_directory, const read_log_msg& x);

} // namespace troupe
