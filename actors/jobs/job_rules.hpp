// What holds for the rules of a job, whoever wrote it: roles, order, retries, time-outs.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

namespace troupe {

// errc::invalid with one sentence. The names of the types are known to be names, and different.
result<void> check_rules(const job_spec_msg& spec);

} // namespace troupe
