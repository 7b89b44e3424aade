// What the master decides: admission, placement, and the fate of every job, as plain code.
//
// The shell feeds inputs to `step` in order. The outcome holds the records to append to the event
// log, already applied here, and the effects to run. Effects, and the answer to whoever asked, wait
// until the records of this and of every earlier step are durable; a shell whose log fails must
// end. After a restart the shell applies the log to a new core, then calls `resume`; orders that
// are still needed are given again as the nodes register. The lineage is a projection of the same
// records. Guarantees: replaying the log rebuilds the durable state (`snapshot`); nodes are never
// overcommitted; every input may come twice or late; at most one task per attempt.
// Limits: `jobs_kept` ended jobs; 256 events per job.
// Threads: none of its own; not safe for concurrent use.
#pragma once

#include "actors/cluster/inventory.hpp"
#include "actors/cluster/journal_records.hpp"
#include "actors/cluster/placement.hpp"
#include "actors/jobs/gang.hpp"
#include "runtime/base/random.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <variant>
#include <vector>

namespace troupe {

// One job, one node, or what the cluster has once, as it is now.
struct state_part {
  std::string name;                        // parts rebuild the state in the order of their names
  std::optional<cluster_event_msg> record; // none: the part is gone
};

// Inputs that are not messages by themselves.
struct node_reported {
  std::string node;
  node_report_msg report;
};

// The link to a node broke: its agent may be back at once, with its tasks.
struct node_unlinked {
  std::string node;
};

// The failure detector gave a node up.
struct node_gone {
  std::string node;
};

// An agent answered start_task with a failure.
struct start_refused {
  std::string node;
  task_id_msg task;
  std::string reason;
};

// Jobs that ended so long ago that they are kept no longer.
struct purge_jobs {
  std::vector<uint64_t> jobs;
};

// Time passes: at least every 200 ms.
struct timer_tick {};

using master_input = std::variant<submit_job_msg, kill_job_msg, hold_job_msg, requeue_job_msg,
                                  register_node_msg, node_reported, node_unlinked, node_gone,
                                  drain_node_msg, start_refused, purge_jobs, timer_tick>;

// There are new events of this job: wake those who watch it.
struct job_news {
  uint64_t job = 0;
};

using master_effect = std::variant<send_start, send_spec, send_stop, job_news>;

struct master_outcome {
  std::vector<cluster_event_msg> records;
  std::vector<master_effect> effects;
  std::optional<error> refusal; // the answer to whoever sent the input, if it was refused
  uint64_t job = 0;             // the job of a submission
};

struct master_options {
  std::string name = "troupe";
  gang_options gangs;
  duration reconnect_time = std::chrono::seconds{15}; // for known nodes, after a restart
  duration return_time = std::chrono::seconds{1};     // for an agent whose link broke
  duration grow_after = std::chrono::seconds{30}; // an elastic gang runs so long before it grows
  size_t jobs_kept = 1000;
  uint64_t records_per_snapshot = 500; // of the event log
};

// Later stages come first, since their jobs hold resources while they wait; then the jobs of a
// higher class, then the order of submission.
struct waiting_key {
  bool later_stage = false;
  priority_class priority = priority_class::low;
  uint64_t job = 0;

  friend bool operator<(const waiting_key& a, const waiting_key& b) noexcept {
    return std::tuple{b.later_stage, b.priority, a.job}
           < std::tuple{a.later_stage, a.priority, b.job};
  }
};

class master_core {
public:
  // `seed` is unpredictable: the secrets of gangs come from it.
  master_core(master_options options, uint64_t seed);
  master_core(const master_core&) = delete;
  master_core& operator=(const master_core&) = delete;

  // Replays one record of the log or of a snapshot.
  void apply(const cluster_event_msg& record);

  // Starts the next epoch: once, after the replay and before the first step.
  master_outcome resume(moment at);

  master_outcome step(const master_input& input, moment at);

  // The parts of the durable state that have changed since this, or forget_changes(), was called.
  std::vector<state_part> take_changes();
  void forget_changes();

  // Queries; none changes anything. errc::not_found where there is no such job.
  uint64_t epoch() const noexcept { return epoch_; }
  result<job_status_msg> job(uint64_t id) const;
  job_list_msg jobs() const;
  result<job_events_msg> events_after(uint64_t id, uint64_t sequence) const;
  cluster_status_msg status(const get_cluster_msg& x = {}) const;

  // The hashes of the packages that the kept jobs name.
  std::set<std::string> packages() const;

  // The answer to a node that has registered: tasks it must stop.
  node_registered_msg registered(const std::string& node, const register_node_msg& report) const;

  const inventory& nodes() const noexcept { return nodes_; }

  // For tests: records that rebuild the durable state from nothing.
  std::vector<cluster_event_msg> snapshot() const;

  // For tests: which running sum or index is not what it is when it is made anew; empty: none.
  std::string unsound() const;

  const gang* find(uint64_t job) const;

private:
  void on(const submit_job_msg& x, moment at, master_outcome& out);
  void on(const kill_job_msg& x, moment at, master_outcome& out);
  void on(const hold_job_msg& x, moment at, master_outcome& out);
  void on(const requeue_job_msg& x, moment at, master_outcome& out);
  void on(const register_node_msg& x, moment at, master_outcome& out);
  void on(const node_reported& x, moment at, master_outcome& out);
  void on(const node_unlinked& x, moment at, master_outcome& out);
  void on(const node_gone& x, moment at, master_outcome& out);
  void on(const drain_node_msg& x, moment at, master_outcome& out);
  void on(const start_refused& x, moment at, master_outcome& out);
  void on(const purge_jobs& x, moment at, master_outcome& out);
  void on(const timer_tick& x, moment at, master_outcome& out);

  void see(const std::string& node, const task_report_msg& report, moment at, master_outcome& out);
  void linger(const std::string& node, const task_report_msg& report, bool fenced);
  gang* asked_for(uint64_t id, const std::string& what, const std::string& reason,
                  master_outcome& out);
  void open_windows(moment at, master_outcome& out);
  void keep_active(const gang& job, uint64_t id);
  void keep_waiting(const gang& job, uint64_t id);
  void apply_to(gang& job, const cluster_event_msg& record);
  void count_tasks(const gang& job, bool held);
  void count_task(const gang& job, const gang::task& x, bool held);
  std::vector<uint64_t> jobs_on(const known_node& node) const;
  void commit(cluster_changeUnion change, moment at, master_outcome& out);
  void settle(moment at, master_outcome& out);
  std::vector<const gang*> jobs_of(const job_need_msg& need) const;
  std::string blocked_by(const gang& job) const;
  std::string cannot_start(const gang& job) const;
  void keep_back(moment at, master_outcome& out);
  std::vector<node_room> rooms() const;
  attempt_placed_msg placement_of(uint64_t id, uint32_t attempt, const std::vector<placed>& tasks);
  bool place_next(uint64_t id, fifo_placement& room, moment at, master_outcome& out);
  void place(moment at, master_outcome& out);
  void join_more(uint64_t id, moment at, master_outcome& out);
  void grow(moment at, master_outcome& out);
  void make_way(uint64_t oldest, moment at, master_outcome& out);
  void stop_stray(const std::string& node, const task_id_msg& task, master_outcome& out) const;
  void forget_old_jobs();
  bool may_forget(const gang& job) const;
  void forget(uint64_t job);
  gang* lookup(uint64_t job);
  static waiting_key key_of(const gang& job);
  uint64_t job_before(const gang& job) const;
  std::string waits_for(const gang& job) const;
  job_status_msg status_of(const gang& job) const;

  master_options options_;
  random_source random_;
  // durable
  uint64_t epoch_ = 0;
  inventory nodes_;
  std::map<uint64_t, std::unique_ptr<gang>> jobs_;
  std::map<std::pair<std::string, uint64_t>, uint64_t> tokens_; // (user, token) -> job
  uint64_t last_job_ = 0;
  // volatile
  std::set<std::string> changed_nodes_; // since the last snapshot
  std::set<uint64_t> changed_jobs_;     // since the last snapshot
  std::set<uint64_t> active_;           // jobs that have not ended
  std::set<uint64_t> limited_;          // those of them that others may keep back
  std::set<uint64_t> elastic_;          // those of them that may grow
  std::set<uint64_t> watched_;          // those of them that are not quiet: time matters to them
  std::set<waiting_key> waiting_;       // those of them that wait for a placement, in their order
  uint64_t front_ = 0;                  // the first of them that has no room: others wait for it
  std::set<std::string> timed_;         // nodes that are awaited or drain
  std::map<uint64_t, int> needed_;      // how many active jobs need a job
  std::set<uint64_t> dirty_;            // jobs to look at before the step ends
  bool place_ = false;                  // whether a placement may be possible now
};

// There is no such job.
error no_job(uint64_t id);

// Adds what the living tasks of a job hold, by node.
void add_held_by(const gang& job, std::map<std::string, resources>& to);

} // namespace troupe
