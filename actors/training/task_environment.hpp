// What Troupe tells the process of a task, read from its environment variables.
//
//   TROUPE_JOB, TROUPE_ATTEMPT              which job, and which attempt of its gang
//   TROUPE_TASK_TYPE, TROUPE_TASK_INDEX     which task of the job
//   TROUPE_RANK, TROUPE_WORLD_SIZE          its place in the gang
//   TROUPE_MEMBERS                          "host:port" of each rank, with commas between
//   TROUPE_LISTEN_FD                        the bound and listening socket of this rank
//   TROUPE_SECRET                           shared by the members of this attempt
//   TROUPE_OUTPUT, TROUPE_CHECKPOINTS       directories: of this attempt, of all attempts
//   TROUPE_METRICS_FD                       optional: where metrics go
//   TROUPE_GENERATION                       optional: of the gang, within the attempt; 0 at first
//   TROUPE_GENERATION_FILE                  optional: where later ones are announced
//   TROUPE_COLLECTIVE_TIMEOUT_S             optional: of each operation of the gang; 30
//
// Without TROUPE_RANK the process is a gang of its own.
#pragma once

#include "kernels/collective/collective.hpp"
#include "runtime/base/result.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace troupe::training {

struct task_environment {
  std::string job;
  uint64_t attempt = 1;
  std::string task_type = "worker";
  uint32_t task_index = 0;
  uint32_t rank = 0;
  uint32_t world_size = 1;
  std::vector<std::string> members; // one for each rank where there is more than one
  std::optional<int> listen_fd;
  std::string secret;
  std::string output;      // empty: nothing is written
  std::string checkpoints; // empty: none are kept
  std::optional<int> metrics_fd;
  uint32_t generation = 0;                      // of the members, within the attempt
  std::string generation_file;                  // empty: they never change
  duration deadline = std::chrono::seconds(30); // of joining a gang, and of each operation in it

  // Whether all ranks are on one host, so that they can share memory.
  bool one_host() const;
};

// The value of a variable, or null.
using variables = std::function<const char*(const char* name)>;

// Errors: invalid, naming the variable.
result<task_environment> read_environment(const variables& from);

// The task in a later generation of its gang, from the file that announces it; nothing while there
// is none. Errors: invalid, naming the variable.
result<std::optional<task_environment>> later_generation(const task_environment& task);

// The gang of this generation, over shared memory on one host and TCP across; null for a rank of
// its own. The listening socket stays open for later generations. Errors: those of joining a group;
// aborted, as soon as a later generation is announced.
result<std::unique_ptr<collective::group>> join_gang(const task_environment& task);

} // namespace troupe::training
