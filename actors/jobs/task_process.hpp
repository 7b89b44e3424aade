// The user's command as one process group: started, watched, stopped, never left behind.
//
//   executor --run--> command (leads the group) --fork--> its children (in the group)
//
// Guarantees
// - When run() returns, every process of the group has been sent SIGKILL. The same happens when
//   this process dies, however it dies (task_guard.hpp). A process that leaves the group is killed
//   too where this process is a subreaper, or the command has a control group.
// - A task whose memory is limited starts in a control group, where the node may make one; another
//   enters one when it has run for a second. Without a group, a task that has more processes than
//   it may is killed within 5 s.
// - stop() sends SIGTERM to the group, and SIGKILL when the grace is over. The group ends with its
//   command: a shell that does not wait for its children takes their grace from them.
// - Standard output and error are appended to the log file up to `log_bytes_max`; then one line
// says
//   that the log was cut and the rest is read and dropped, so the command never blocks on it.
// - The task is measured when it ends and every 5 s before, and what its job reports is kept
//   (task_metrics.hpp).
// Threads: run() blocks its caller and is called once; it must be called on a thread that lives as
// long as run(). The others may be called from any thread, stop() also before run().
#pragma once

#include "actors/jobs/task_launch.hpp"
#include "actors/jobs/task_metrics.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/protocol/messages.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace troupe {

struct task_exit {
  int code = 0;               // of the command, or 128 + the signal that ended it
  bool stopped = false;       // stop() was called before it ended
  std::string reason;         // empty when the code is 0
  bool out_of_memory = false; // the kernel killed a process of it for its limit
  bool no_start = false;      // the node could not start it, which is no fault of the job
};

class task_process {
public:
  // `time` and `guard` outlive the process.
  task_process(const clock& time, const task_guard& guard);

  // Runs the command to its end. An error says why it could not be started: errc::not_found when
  // the program or the directory does not exist, errc::invalid when it cannot be executed or
  // entered, errc::io otherwise, errc::aborted when stop() came first. `started` is called once,
  // with the process id.
  result<task_exit> run(const task_command& what, const std::function<void(int)>& started);

  // Asks the group to end; the shortest grace of several calls holds.
  void stop(duration grace);

  // Asks the group for a checkpoint (SIGUSR1), for its stacks (SIGUSR2), to end well when it can
  // (SIGTERM), or to log at `level`, which is in log_level_file() by then (SIGHUP). Only processes
  // that catch the signal get it. Of the others, where they are in the kernel is written to the log
  // for their stacks; one line there says that nobody could be asked. A group that was asked to end
  // has ended well with code 0, and with that of SIGTERM.
  void request(task_request what, log_level level = {});

  // Whether stop() was called, and when the group is killed then.
  std::optional<time_point> killed_at() const;

  // The files that it told of, and opened for reading where that was wanted; once, after run().
  task_paths take_paths() { return std::exchange(paths_, {}); }

  // The newest value of each metric.
  std::map<std::string, metric_value> metrics() const { return metrics_.newest(); }
  std::optional<uint32_t> awaited() const { return metrics_.awaited(); }

private:
  struct group;
  void watch(group& running, const task_command& what);
  void pump(group& running, uint64_t log_bytes_max);
  void read_metrics(group& running);
  duration measure(group& running, const task_command& what);
  std::vector<pid_t> processes_of(const group& running) const;
  void confine(group& running, const task_command& what);
  void measure_accelerators(group& running, const task_command& what);
  void enter_group(group& running, const task_command& what);
  duration enforce_stop(group& running);
  void enforce_requests(group& running, const std::string& log_file);
  void wake();

  void trace(group& running, const task_command& what);

  const clock& time_;
  const task_guard& guard_;
  task_metrics metrics_;
  task_paths paths_;
  owned_fd wake_; // an eventfd: stop() was called
  mutable std::mutex mutex_;
  std::optional<time_point> kill_at_;
  std::set<task_request> requests_;
  log_level level_{}; // of the newest request for one
};

// Where a task finds the level that it was asked to log at, once it was: a word such as `debug`.
std::string log_level_file(const std::string& log_file);

} // namespace troupe
