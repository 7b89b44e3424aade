// What is known from outside about the jobs of a simulated cluster: the log as it was written, the
// processes as they were, and what clients were told. It checks each against the others.
//
// Invariants
// - The log alone is a sound history: epochs grow; one token is one job; a gang is placed whole, on
//   living nodes that have room, after every task of the attempt before has ended; a later stage of
//   it when the types that it follows have succeeded; a task ends once. No job fails while it has a
//   restart left for the cause, and none restarts without. None starts while it is held, before the
//   jobs that it needs, or while as many of its array run as may.
// - A gang that runs changes its members by a generation at a time: each leaves out a task that was
//   lost, or takes in one that had found its agent, of types that allow it, and keeps as many as
//   each type needs; or each member had said that it can do nothing in the one before. A process is
//   told of a generation that the log has, with its members as the log has them, and never of an
//   earlier one than it knows.
// - An executor is started only for a task that is placed there, and once; the executors of a
//   machine never exceed its capacity. A user's process starts once, when the log says that its
//   gang runs, and that only when every executor of the gang had found its agent.
// - A task succeeds in the log only if its own process, of this attempt, exited with 0; a job only
//   if all tracked tasks of its last attempt did, or, where it goes on without some, one of them. A
//   task that the log says has ended, and not that it was lost, has no process then and gets none:
//   so no two attempts of a job run on living nodes.
// - What a client was told stays so: an accepted job, a confirmed kill, every event.
// - A snapshot that the master took equals the fold of the log up to it.
#pragma once

#include "actors/cluster/master_core.hpp"
#include "storage/store.hpp"
#include "tests/support/sim_world.hpp"

namespace troupe::testing {

// `attempt 2 of job 1`
std::string attempt_name(uint64_t job, uint32_t attempt);

// A task by its task_name, and its task_key.
task_id_msg task_of(uint64_t job, uint32_t attempt, const std::string& name);
std::string key_of(uint64_t job, uint32_t attempt, const std::string& name);

// Null where the job has no such type.
const task_type_msg* type_of(const job_spec_msg& spec, const std::string& name);

class job_ledger {
public:
  job_ledger(sim_world& world, const master_options& options) : world_(world), options_(options) {}

  // The disk of the master, which has it already. `opened`: this is the last event that a new life
  // found there.
  void wrote(std::string_view key, std::string_view value, const storage::store& disk);
  void opened(uint64_t last);

  // Machines. `room`: what is left of the machine before the start.
  void launched(const std::string& node, const start_task_msg& order, const resources& room);
  void connected(const task_id_msg& task);
  void started(const task_id_msg& task);
  void told_generation(const cluster_spec_msg& spec);

  // A process of a gang that regroups stands still for good, beside another one; false: it may not.
  bool froze(const task_id_msg& task);

  // The members of a gang that regroups lose each other, once; none where none runs.
  void part_some(random_source& random);

  // The generation that a process cannot work in, because of what became of the others.
  std::optional<uint32_t> awaited(const task_id_msg& task) const;

  // Whether another process cannot work because of it.
  bool is_awaited(const task_id_msg& task) const;
  void ended(const task_id_msg& task, int code);

  // Clients.
  void accepted(const std::string& user, uint64_t token, uint64_t job);
  void kill_asked(uint64_t job) { kills_.insert(job); }
  void kill_confirmed(uint64_t job);
  void told(uint64_t job, uint64_t after, const job_events_msg& news);

  // After the run: what clients were told is in the log, and it folds to `snapshot`.
  void check_end();

  struct task_record {
    std::string node;
    bool ended = false;
    task_state state = task_state::pending;
    uint32_t stage = 0;
    bool left = false;
    uint32_t generation = 0; // its first
  };

  struct job_record {
    job_submitted_msg submitted;
    job_state state = job_state::queued;
    uint32_t attempt = 0;
    bool stopping = false;
    job_state next = job_state::queued;
    std::map<std::string, task_record> tasks; // by task_name, of this attempt
    uint32_t stages = 0;                      // placed in this attempt
    std::map<exit_class, uint32_t> restarts;
    bool held = false;
    uint32_t generation = 0;
    std::map<uint32_t, std::set<std::string>> members; // of each generation of the attempt
    std::optional<uint32_t> parted; // the attempt whose first members have lost each other

    bool final() const { return state >= job_state::succeeded; }
    bool has(const task_record& task) const { return !task.left && task.generation <= generation; }
  };

  // The last events of a job that a client was told, for people.
  std::string history(uint64_t job) const;

  // A job of the log that has not ended; 0: there is none.
  uint64_t unfinished() const;

  // Null while the log has no such job.
  const job_record* find(uint64_t job) const;
  uint64_t records() const { return records_.size(); }

private:
  // What happened to one task of one attempt.
  struct truth {
    bool launched = false;
    bool connected = false;
    bool started = false;
    uint32_t generation = 0; // that it knows
    bool frozen = false;
    std::optional<int> code;
    bool over = false; // the log says so, and not that it was lost
  };

  struct told_record {
    std::map<uint64_t, std::string> events; // by sequence
    bool final = false;
    job_state state = job_state::queued;
  };

  void apply(const cluster_event_msg& record);
  void apply(const epoch_started_msg& x);
  void apply(const node_changed_msg& x);
  void apply(const job_submitted_msg& x);
  void apply(const attempt_placed_msg& x);
  void apply(const task_ended_msg& x);
  void apply(const gang_stopping_msg& x);
  void apply(const job_changed_msg& x);
  void apply(const job_held_msg& x);
  void apply(const gang_regrouped_msg& x);
  void join(const attempt_placed_msg& x);
  bool check_joined(const gang_regrouped_msg& x, job_record& job);
  bool check_left(const gang_regrouped_msg& x, job_record& job);
  bool all_await(uint64_t id, const job_record& job) const;
  std::vector<std::string> fellows_of(const task_id_msg& task, uint32_t generation) const;
  void check_turn(const attempt_placed_msg& x, const job_record& job);
  void check_room(uint64_t job);
  void check_snapshot(std::string_view payload, const storage::store& disk);
  void check_end_of(uint64_t id, const job_record& job);
  job_record* current(uint64_t job, uint32_t attempt, const char* what);
  void check_stage(const attempt_placed_msg& x, const job_record& job);
  void check_restart(const gang_stopping_msg& x, const job_record& job);
  bool type_succeeded(const job_record& job, const std::string& name) const;
  bool has_succeeded(const job_record& job) const;
  void violated(const std::string& what);

  sim_world& world_;
  const master_options options_;
  std::vector<cluster_event_msg> records_;
  bool replaying_ = false; // what is applied was checked before
  // what the log says
  uint64_t epoch_ = 0;
  std::map<std::string, node_changed_msg> nodes_;
  std::map<uint64_t, job_record> jobs_;
  std::map<std::pair<std::string, uint64_t>, uint64_t> tokens_;
  // what happened
  std::map<std::string, truth> truths_; // by task_key
  std::map<std::pair<std::string, uint64_t>, uint64_t> accepted_;
  std::set<uint64_t> kills_;
  std::set<uint64_t> kills_confirmed_;
  std::map<uint64_t, told_record> told_;
};

} // namespace troupe::testing
