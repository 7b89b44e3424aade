// Where a command that runs learns that its gang has other members now: a file that is replaced as
// a whole for each later generation of the attempt. Its lines are variables, by the names that the
// command knows from its environment:
//
//   TROUPE_GENERATION=2
//   TROUPE_RANK=0
//   TROUPE_WORLD_SIZE=1
//   TROUPE_MEMBERS=127.0.0.1:4100
//   TROUPE_SECRET=...
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>

namespace troupe {

// Beside the log of a task.
std::string generation_file(const std::string& log_file);

// `host:port` of each rank, with commas between.
std::string members_of(const cluster_spec_msg& spec);

// Only its owner, `user` where one is named, may read the file. Errors: io.
result<void> write_generation(const std::string& path, const cluster_spec_msg& spec,
                              const std::string& user);

} // namespace troupe
