// What the agent of a node decides, as plain code: which orders it obeys, which tasks run, and what
// it reports.
//
// Guarantees: a task starts at most once per attempt, in whatever order starts and stops arrive;
// orders of an older epoch, and starts of an older attempt than one seen of the same job, are
// refused; the declared capacity is never exceeded; losing the master leaves tasks alone for
// `orphan_timeout`, then stops them; no accelerator is given to two tasks at a time; a task whose
// executor says nothing for `executor_silence`, while this agent runs, is ended by force. A task is
// launched when all its packages are here (package_plan.hpp); until then it is reported as pending,
// and holds its room.
// An ended task is reported until `acknowledge` is called with a report whose receipt the master
// confirmed. Limits: the last 4096 jobs are remembered.
// Threads: none of its own; not safe for concurrent use.
#pragma once

#include "actors/cluster/placement.hpp"
#include "actors/packages/package_plan.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace troupe {

// Start an executor process for this task.
struct launch_executor {
  start_task_msg order;
};

// The executor may start its command.
struct deliver_spec {
  cluster_spec_msg spec;
};

// Ask the task's processes to end.
struct terminate_task {
  task_id_msg task;
  uint64_t grace_ns = 0;
};

// The grace is over: end the task's processes by force.
struct kill_task {
  task_id_msg task;
};

// The task waits for packages: a later life of the agent goes on with it.
struct remember_task {
  start_task_msg order;
};

// It has ended without having been launched.
struct forget_task {
  task_id_msg task;
};

// Nobody waits for this fetch any more; it still ends, by fetch_ended().
struct cancel_fetch {
  std::string hash;
};

// Remove this package.
struct drop_package {
  std::string hash;
};

// Something changed that the master should learn now, by `report`.
struct report_due {};

using agent_effect
  = std::variant<launch_executor, deliver_spec, terminate_task, kill_task, remember_task,
                 forget_task, fetch_due, cancel_fetch, drop_package, report_due>;
using agent_effects = std::vector<agent_effect>;

struct agent_options {
  std::string name;
  resources capacity;
  node_labels labels;
  uint64_t incarnation = 0;
  duration orphan_timeout = std::chrono::seconds{300};
  duration orphan_grace = std::chrono::seconds{10};
  duration executor_silence = std::chrono::seconds{10}; // it reports twice a second
  package_options packages;
};

// The number of a node's next life: above that of its last one, wherever its clock has jumped.
uint64_t next_incarnation(uint64_t last, int64_t wall_ns);

class agent_core {
public:
  agent_core(agent_options options, time_point now);

  // Orders of the master. errc::refused: an older epoch or attempt; errc::unavailable: no room.
  result<agent_effects> start(const start_task_msg& order, time_point now);
  result<agent_effects> spec(const cluster_spec_msg& order, time_point now);
  result<agent_effects> stop(const stop_task_msg& order, time_point now);

  // The master lives: it answered or sent something.
  void master_seen(uint64_t epoch, time_point now);

  // An executor that outlived an earlier life of this agent; before the first registration.
  void adopt(const start_task_msg& order);

  // A task that waited for its packages when an earlier life of this agent ended.
  agent_effects adopt_waiting(const start_task_msg& order, time_point now);

  // A package of an earlier life; those that were used last come last. Before anything else.
  void package_found(const std::string& hash, uint64_t bytes) { packages_.found(hash, bytes); }

  agent_effects fetch_ended(const fetch_outcome& outcome, time_point now);

  // From executors. errc::refused: the task is not one of this node; the executor must end.
  result<agent_effects> executor_registered(const executor_register_msg& x);
  result<agent_effects> executor_reported(const task_report_msg& report);

  // The executor process ended, by itself or not; also when it could not be started. Only its own
  // last report, if it sent one, is believed before this.
  agent_effects executor_exited(const task_id_msg& task, int32_t exit_code,
                                const std::string& reason);

  // Time passes: at least every second.
  agent_effects tick(time_point now);

  register_node_msg registration() const;
  node_report_msg report() const;
  bool knows_news() const noexcept { return news_; } // since the last `acknowledge`
  void acknowledge(const node_report_msg& received);

  resources free() const;
  uint64_t epoch() const noexcept { return epoch_; }
  size_t running() const noexcept;

private:
  struct entry {
    start_task_msg order;
    task_report_msg report;
    bool ended = false;
    bool waits = false;        // for packages
    bool result_known = false; // the executor said how its command ended
    bool succeeded = false;
    bool spec_given = false;
    bool stopping = false;
    std::optional<time_point> kill_at;
    std::optional<duration> silence; // of its executor, once there is one
  };

  result<void> check_epoch(uint64_t epoch, time_point now);
  std::vector<uint32_t> choose_accelerators(uint32_t count) const;
  std::vector<uint32_t> visible_accelerators(const entry& x, const cluster_spec_msg& spec) const;
  entry* find(const task_id_msg& task);
  entry& add(const start_task_msg& order, task_state state);
  void launch_or_wait(entry& x, time_point now, agent_effects& out);
  void end_waiting(entry& x, task_state state, const std::string& reason, agent_effects& out);
  std::set<std::string> wanted() const;
  void settle(time_point now, agent_effects& out);
  void notice_silence(entry& x, duration passed, time_point now) const;
  void end_by(entry& x, duration grace, time_point now, agent_effects& out);
  std::vector<std::unique_ptr<task_report_msg>> reports() const;

  agent_options options_;
  uint64_t epoch_ = 0;
  time_point master_seen_;
  time_point ticked_;
  bool news_ = false;
  package_plan packages_;
  std::map<std::string, entry> tasks_;  // by task_key
  std::map<uint64_t, uint32_t> newest_; // job -> highest attempt seen
  std::map<uint64_t, std::set<std::string>>
    gone_; // job -> keys of the newest attempt, acknowledged
};

} // namespace troupe
