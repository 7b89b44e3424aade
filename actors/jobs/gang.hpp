// What a job does next: the decisions of one job master, as plain code.
//
// A gang has durable state, which only `apply` changes, from records of the event log, and volatile
// state (what its tasks reported, timers), which a restart loses and the agents' reports rebuild.
// `next` names the change that is due now; the caller logs it, applies it, and asks again until
// there is none. `orders` then yields what the agents have to be told; it depends on the state
// only, so that asking again is safe, and each order is repeated until a report shows that it was
// obeyed. Guarantees: a gang runs whole or not at all; at most one task per (attempt, type, index);
// a report of another attempt, of another node or of an ended task never changes it. Threads: none
// of its own; not safe for concurrent use.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/protocol/messages.hpp"

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace troupe {

// When something happened: `now` for timers, `wall_ns` (since 1970) for people.
struct moment {
  time_point now;
  int64_t wall_ns = 0;
};

struct send_start {
  std::string node;
  start_task_msg order;
};

struct send_spec {
  std::string node;
  cluster_spec_msg order;
};

struct send_stop {
  std::string node;
  stop_task_msg order;
};

using task_order = std::variant<send_start, send_spec, send_stop>;

struct gang_options {
  duration register_timeout = std::chrono::seconds{60}; // from placement to a complete gang
  duration await_timeout = std::chrono::seconds{10}; // from the first member that waits for others
  duration backoff_first = std::chrono::seconds{1};  // before the second attempt; then doubled
  duration backoff_max = std::chrono::seconds{60};
  duration stop_grace = std::chrono::seconds{10};  // between the polite and the hard signal
  duration repeat_after = std::chrono::seconds{2}; // an order that had no effect is sent again
  duration failures_settle = std::chrono::milliseconds{100}; // the first may not be seen first
  std::string jobs_directory; // outputs of an attempt: <jobs_directory>/<job>/<attempt>
};

// Whether nothing happens to a job in this state any more.
bool has_ended(job_state x) noexcept;

class gang {
public:
  // One task of the current attempt.
  struct task {
    // durable
    size_t kind = 0; // index of its type in the job's spec
    uint32_t index = 0;
    std::string node;
    bool ended = false;
    task_state state = task_state::pending; // how it ended
    int32_t exit_code = 0;
    std::string reason;
    exit_class cause = exit_class::user_error;
    uint32_t stage = 0;      // placements of the attempt before this one
    uint32_t ending = 0;     // how many tasks had ended before it; a snapshot forgets it
    bool left = false;       // the gang goes on without it
    uint32_t generation = 0; // the first one that it is a member of
    // volatile
    task_state seen = task_state::pending; // how far it got, by its agent's reports
    bool fetches = false;                  // its agent has it, and waits for its packages
    std::string host;
    uint16_t port = 0;
    uint16_t ui_port = 0;
    uint32_t told = 0;        // the generation that its command knows
    bool awaits_next = false; // it can do nothing before there is a later one
    std::vector<std::unique_ptr<metric_msg>> progress;
    int ordered = 0; // the kind of the last order
    time_point ordered_at;
  };

  struct sight {
    bool fenced = false;                       // the reporter must stop this task
    std::optional<cluster_changeUnion> change; // the end of a task, to be logged
    bool news = true;                          // a decision may rest on it
  };

  gang(const gang_options& options, const job_submitted_msg& submitted, int64_t wall_ns);
  gang(const gang_options& options, const job_kept_msg& kept);

  // Durable changes of this job.
  void apply(const cluster_changeUnion& change, int64_t wall_ns);

  using node_test = std::function<bool(const std::string&)>;

  // The change that is due now, if any. A failure is explained by a node that is not `reachable`
  // and may turn out to be lost: it is waited for.
  std::optional<cluster_changeUnion> next(
    const moment& at, const node_test& reachable = [](auto&) { return true; });

  // What the agents have to be told now; nodes that are not `reachable` are told nothing.
  void orders(time_point now, uint64_t epoch, const node_test& reachable,
              std::vector<task_order>& out);

  // A task as its agent reports it.
  sight see(const std::string& node, const task_report_msg& report);

  // The end of each living task on a node that was lost.
  std::vector<cluster_changeUnion> node_lost(const std::string& node) const;

  // The end of each living task on `node` that a complete report of a node does not name, unless
  // its start may still be on the way (`same_life`).
  std::vector<cluster_changeUnion> missing(const std::string& node, const register_node_msg& report,
                                           bool same_life) const;

  // The end of a task whose agent refused to start it.
  std::optional<cluster_changeUnion> refused(const std::string& node, const task_id_msg& task,
                                             const std::string& reason) const;

  // The change that sends the gang back to its queue, whatever its budget of attempts; none if it
  // stops anyway, or waits.
  std::optional<cluster_changeUnion> preempt(const std::string& reason) const;

  // The same when it has a living task on `node`.
  std::optional<cluster_changeUnion> move_from(const std::string& node,
                                               const std::string& reason) const;

  // The change that holds it in its queue, or releases it; none if nothing changes.
  std::optional<cluster_changeUnion> hold(bool held, const std::string& reason) const;

  // The change that ends a job that waits and can never be started.
  std::optional<cluster_changeUnion> give_up(const std::string& reason) const;

  // Why other jobs keep it from being started; empty: they do not. Its time to wait for room begins
  // when they no longer do.
  void block(std::string reason);

  // The change that ends the job on request; none if it has ended.
  std::optional<cluster_changeUnion> kill(const std::string& reason) const;

  // Forgets what was ordered to a node, so that it is ordered again.
  void order_again(const std::string& node);

  // Whether it waits for a placement, or for what has to come before one.
  bool waits() const;

  // Why it would not be placed whatever room there is; empty where it would.
  std::string kept_back() const;

  // What the gang lacks of the types that may join it while it runs, when it is time to place them:
  // indices into the spec, and how many.
  std::vector<std::pair<size_t, uint32_t>> wants_more(int64_t wall_ns) const;

  // The index of the next task of a type that joins: in one attempt none has that of another.
  uint32_t next_index(size_t kind) const;

  // Whether it changes its members while it runs, instead of starting again.
  bool regroups() const;

  // The task types that have to be placed together next, as indices into the spec.
  std::vector<size_t> ready_types() const;

  // The same if it is time to place them, else none.
  std::vector<size_t> wants_placement(time_point now) const;

  // The attempt that the next placement belongs to: a later stage joins the current one.
  uint32_t next_attempt() const { return state_ == job_state::running ? attempt_ : attempt_ + 1; }

  // Whether nothing is due by the mere passing of time: `next` and `orders` say nothing until
  // something happens to the job or to its nodes.
  bool quiet() const;

  bool final() const noexcept { return has_ended(state_); }
  const job_submitted_msg& submitted() const noexcept { return submitted_; }
  const job_spec_msg& spec() const noexcept { return *submitted_.spec; }
  job_state state() const noexcept { return state_; }
  uint32_t attempt() const noexcept { return attempt_; }
  uint32_t generation() const noexcept { return generation_; } // of the members in this attempt
  int64_t attempt_started_ns() const noexcept { return attempt_started_ns_; } // wall time
  bool stopping() const noexcept { return stopping_; }
  const std::vector<task>& tasks() const noexcept { return tasks_; }
  const task_type_msg& type_of(const task& x) const { return *spec().tasks[x.kind]; }
  task_id_msg id_of(const task& x) const;
  const task* find(const task_id_msg& id) const; // null: not a task of the current attempt
  uint32_t
  placed_of(size_t kind) const; // tasks of a type that the attempt has, and that have not left
  std::string output_directory() const;
  std::string log_path(const task& x) const; // of the task's output, on its node

  job_status_msg status() const;
  std::vector<std::unique_ptr<job_event_msg>> events_after(uint64_t sequence) const;
  uint64_t last_event() const noexcept { return sequence_; }

  // The whole durable state.
  job_kept_msg keep() const;

private:
  struct awaiting {
    size_t waiting = 0;           // how many wait for a later generation
    const task* silent = nullptr; // the first one that does not
  };

  void apply(const attempt_placed_msg& x, int64_t wall_ns);
  void apply(const task_ended_msg& x, int64_t wall_ns);
  void apply(const gang_stopping_msg& x, int64_t wall_ns);
  void apply(const job_changed_msg& x, int64_t wall_ns);
  void apply(const job_held_msg& x, int64_t wall_ns);
  void apply(const gang_regrouped_msg& x, int64_t wall_ns);
  void add_tasks(const attempt_placed_msg& x, uint32_t generation, int64_t wall_ns);
  void remember_end(const gang_stopping_msg& x, int64_t wall_ns);
  void tell(int64_t wall_ns, std::string text);
  bool all_ended() const;
  bool all_registered() const;
  bool is_joining(const task& x) const { return !x.left && x.generation > generation_; }
  bool is_member(const task& x) const { return !x.left && x.generation <= generation_; }
  bool may_leave(const task& x) const;
  bool has_enough(size_t kind) const;
  std::optional<cluster_changeUnion> next_generation(int64_t wall_ns) const;
  duration generation_age(int64_t wall_ns) const;
  awaiting who_awaits() const;
  bool all_await_next(int64_t wall_ns) const;
  std::optional<cluster_changeUnion> silent_member(const moment& at);
  std::optional<cluster_changeUnion> late_to_join(time_point now);
  const task_type_msg* unplaced() const;
  bool is_chief(const task& x) const;
  bool may_run(const task& x) const;
  bool stops_gang(const task& x) const;
  bool type_has_succeeded(const task_type_msg& type) const;
  bool type_has_ended(const task_type_msg& type) const;
  std::optional<cluster_changeUnion> next_of_waiting(const moment& at);
  std::optional<cluster_changeUnion> next_of_stopping(time_point now);
  std::optional<cluster_changeUnion> next_of_placed(const moment& at, const node_test& reachable);
  const task* failed_task() const;
  bool settled(time_point now, const node_test& reachable);
  std::optional<cluster_changeUnion> outcome();
  duration register_timeout() const;
  std::optional<cluster_changeUnion> late_to_register(time_point now);
  std::optional<cluster_changeUnion> late_to_end(time_point now);
  bool awaited(const task& x) const;
  uint32_t restarts() const;
  duration backoff() const;
  enum class order_kind : uint8_t { none, start, spec, stop };
  order_kind order_for(const task& x, bool addresses_known) const;
  uint64_t grace_ns() const; // from the polite to the hard signal
  task_order order_of(const task& x, order_kind kind, uint64_t epoch) const;
  task* lookup(const task_id_msg& id);
  std::string name_of(const task& x) const;
  cluster_changeUnion end_of(const task& x, task_state state, int32_t code, std::string why,
                             exit_class cause) const;
  cluster_changeUnion stop(job_state next, std::string reason, exit_class cause,
                           const task* failed = nullptr) const;
  cluster_changeUnion fail(const std::string& reason, exit_class cause,
                           const task* failed = nullptr) const;
  bool waits_its_turn() const;
  cluster_changeUnion become(job_state state, std::string reason) const;
  start_task_msg start_of(const task& x, uint64_t epoch) const;
  cluster_spec_msg spec_of(const task& x, uint64_t epoch) const;

  const gang_options* options_;
  job_submitted_msg submitted_;
  job_state state_ = job_state::queued;
  uint32_t attempt_ = 0;
  std::string reason_;
  bool stopping_ = false;
  job_state next_ = job_state::queued;
  uint64_t secret_ = 0; // of the generation
  uint32_t generation_ = 0;
  int64_t submitted_ns_ = 0;
  int64_t started_ns_ = 0;
  int64_t ended_ns_ = 0;
  std::array<uint32_t, 5> restarts_{}; // by exit_class
  std::vector<task> tasks_;            // of the attempt; ordered by type in the spec, then index
  uint32_t stage_ = 0;                 // the last one of the attempt
  std::vector<job_event_msg> events_;
  uint64_t sequence_ = 0;
  bool held_ = false;
  std::string held_reason_;
  int64_t waiting_since_ns_ = 0;
  int64_t attempt_started_ns_ = 0;
  std::vector<attempt_end_msg> ends_;
  // volatile
  std::string blocked_;
  bool was_blocked_ = false;
  int64_t regrouped_ns_ = 0; // wall time of the last change of its members
  std::optional<time_point> complete_by_;
  std::optional<time_point> joined_by_;
  std::optional<time_point> heard_by_; // members of which others wait for
  std::optional<time_point> settled_by_;
  std::optional<time_point> retry_at_;
  std::optional<time_point> placed_by_;
  std::optional<time_point> over_by_;
  std::map<size_t, time_point> ends_by_; // by end rule
};

// A record of the event log, from what has changed.
template <class T>
cluster_changeUnion change_of(T x) {
  cluster_changeUnion out;
  out.Set(std::move(x));
  return out;
}

// How a task ended, as people read it: `exited with code 3`.
std::string end_text(task_state state, int32_t code, const std::string& why);

// A task as people write it: `worker:1`.
std::string task_name(const std::string& type, uint32_t index);

} // namespace troupe
