// One task of a gang, from its node's agent to the user's process.
//
//   agent <--register, report--- executor --fork--> command
//     |                             ^
//     +---- orders (spec, stop) ----+
//
// Guarantees
// - The task's port is taken before the agent hears of it, and stays so until the command has
//   ended: as a listening socket that the command inherits, or held for the command to bind
//   (framework_port.hpp), so no other process can take the port between.
// - The command starts at most once, when the agent has sent the cluster spec.
// - While the agent is away the command goes on; each new link registers again, with the same ids.
//   After `orphan_timeout` without an agent the command is stopped: its gang was placed anew by
//   then.
// - The exit is reported until it was acknowledged, or for `orphan_timeout`, after stop() for
//   `last_word_timeout`. An agent that refuses the task knows a later attempt: the command is
//   stopped.
// - The files that it used are told with its exit (task_files.hpp). The report waits until they are
//   hashed, for at most `hash_limit`; of a command that is stopped for 2 s, and not into the last
//   2 s before it would be killed. What is not hashed by then is named without a hash.
// - A command that runs longer than `timeout` is stopped with its whole process group, and has
//   failed with code 124.
// - Whatever way this process ends, no process of the command's group survives it
//   (task_process.hpp).
//
// Threads: run() blocks its caller, which forks the command and so lives as long; stop() may be
// called from any thread.
#pragma once

#include "actors/jobs/accelerators.hpp"
#include "actors/jobs/task_launch.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/protocol/messages.hpp"

#include <memory>
#include <set>
#include <string>

namespace troupe {

struct task_executor_options {
  std::string agent_endpoint; // "local:/path"
  std::string agent_node;     // the agent's node name
  uint64_t job = 0;
  uint32_t attempt = 0;
  std::string type;
  uint32_t index = 0;
  std::string host = "127.0.0.1";        // where the task listens, an IPv4 address of this node
  std::string output_directory;          // of the attempt; made when missing
  uint32_t cpus_declared = 1;            // OMP_NUM_THREADS, unless the environment sets it
  troupe::framework framework{};         // whose variables the command expects
  std::vector<accelerator> accelerators; // of the node, by their number there
  std::vector<uint32_t> own_accelerators;
  task_command task;                // its environment is completed with the TROUPE_ variables
  std::set<std::string> set_by_job; // the variables of that environment that the job itself gave

  duration report_every = std::chrono::milliseconds(500);
  duration register_deadline = std::chrono::seconds(120);
  duration orphan_timeout = std::chrono::seconds(300);
  duration last_word_timeout = std::chrono::seconds(10);
  duration stop_grace = std::chrono::seconds(10); // for stop(), and at the time-out
  duration timeout{};                             // of the command, from its start; 0: none
  duration hash_limit = std::chrono::seconds(60);
};

class task_executor {
public:
  // `time` and `guard` outlive the executor.
  task_executor(task_executor_options options, const clock& time, const task_guard& guard);
  ~task_executor();

  task_executor(const task_executor&) = delete;
  task_executor& operator=(const task_executor&) = delete;

  // Runs the task to its end and returns the command's exit code: 128 + the signal that ended it,
  // 127 when it could not be started, 143 when it was stopped before. An error: the executor itself
  // could not start, and nothing ran.
  result<int> run();

  // Stops the task as an order of the agent would.
  void stop();

private:
  struct session;
  std::unique_ptr<session> session_;
};

} // namespace troupe
