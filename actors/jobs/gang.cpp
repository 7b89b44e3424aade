#include "actors/jobs/gang.hpp"

#include "actors/jobs/file_uses.hpp"
#include "runtime/base/assert.hpp"

#include <algorithm>
#include <set>

namespace troupe {
namespace {

constexpr size_t events_max = 256; // per job; older ones are dropped
constexpr size_t ends_max = 64;

bool is_end(task_state x) {
  return x == task_state::succeeded || x == task_state::failed || x == task_state::killed
         || x == task_state::lost;
}

} // namespace

std::string task_name(const std::string& type, uint32_t index) {
  return type + ":" + std::to_string(index);
}

gang::gang(const gang_options& options, const job_submitted_msg& submitted, int64_t wall_ns)
  : options_(&options), submitted_(submitted), submitted_ns_(wall_ns), waiting_since_ns_(wall_ns) {
  tell(wall_ns, "submitted");
}

gang::gang(const gang_options& options, const job_kept_msg& kept)
  : options_(&options), submitted_(*kept.submitted), state_(kept.state), attempt_(kept.attempt),
    reason_(kept.reason), stopping_(kept.stopping), next_(kept.next), secret_(kept.secret),
    submitted_ns_(kept.submitted_ns), started_ns_(kept.started_ns), ended_ns_(kept.ended_ns),
    sequence_(kept.sequence), held_(kept.held), held_reason_(kept.held_reason),
    waiting_since_ns_(kept.waiting_since_ns), attempt_started_ns_(kept.attempt_started_ns) {
  generation_ = kept.generation;
  for (auto& x : kept.ends)
    ends_.push_back(*x);
  for (auto& x : kept.events)
    events_.push_back(*x);
  for (auto& x : kept.tasks) {
    task out;
    for (size_t i = 0; i < spec().tasks.size(); ++i)
      if (spec().tasks[i]->name == x->type)
        out.kind = i;
    out.index = x->index;
    out.node = x->node;
    out.ended = x->ended;
    out.state = x->state;
    out.exit_code = x->exit_code;
    out.reason = x->reason;
    out.cause = x->cause;
    out.stage = x->stage;
    out.left = x->left;
    out.generation = x->generation;
    stage_ = std::max(stage_, x->stage);
    tasks_.push_back(std::move(out));
  }
  for (auto& x : kept.restarts)
    restarts_[static_cast<size_t>(x->cause)] = x->restarts;
}

void gang::apply(const cluster_changeUnion& change, int64_t wall_ns) {
  if (auto* x = change.Asattempt_placed())
    apply(*x, wall_ns);
  else if (auto* y = change.Astask_ended())
    apply(*y, wall_ns);
  else if (auto* z = change.Asgang_stopping())
    apply(*z, wall_ns);
  else if (auto* w = change.Asjob_changed())
    apply(*w, wall_ns);
  else if (auto* v = change.Asjob_held())
    apply(*v, wall_ns);
  else if (auto* u = change.Asgang_regrouped())
    apply(*u, wall_ns);
}

void gang::apply(const attempt_placed_msg& x, int64_t wall_ns) {
  if (x.joining)
    return add_tasks(x, generation_ + 1, wall_ns);
  auto later_stage = x.attempt == attempt_;
  stage_ = later_stage ? stage_ + 1 : 0;
  if (!later_stage) {
    tasks_.clear();
    attempt_started_ns_ = wall_ns;
    generation_ = 0;
    secret_ = x.secret;
  }
  attempt_ = x.attempt;
  state_ = job_state::starting;
  stopping_ = false;
  if (started_ns_ == 0)
    started_ns_ = wall_ns;
  complete_by_.reset();
  settled_by_.reset();
  retry_at_.reset();
  placed_by_.reset();
  ends_by_.clear();
  add_tasks(x, 0, wall_ns);
}

void gang::add_tasks(const attempt_placed_msg& x, uint32_t generation, int64_t wall_ns) {
  joined_by_.reset();
  std::set<std::string> nodes;
  for (size_t kind = 0; kind < spec().tasks.size(); ++kind)
    for (auto& placed : x.tasks)
      if (placed->type == spec().tasks[kind]->name) {
        task out;
        out.kind = kind;
        out.index = placed->index;
        out.node = placed->node;
        out.stage = stage_;
        out.generation = generation;
        nodes.insert(placed->node);
        tasks_.push_back(std::move(out));
      }
  std::stable_sort(tasks_.begin(), tasks_.end(), [](const task& a, const task& b) {
    return std::tie(a.kind, a.index) < std::tie(b.kind, b.index);
  });
  auto what = stage_ != 0 ? " goes on, stage " + std::to_string(stage_ + 1) : " is starting";
  auto text = "attempt " + std::to_string(attempt_)
              + (generation != 0 ? " may have more tasks" : what) + " on";
  for (auto& node : nodes)
    text += " " + node;
  tell(wall_ns, text);
}

void gang::apply(const task_ended_msg& x, int64_t wall_ns) {
  auto* found = lookup(*x.task);
  if (!found || found->ended)
    return;
  found->ending = static_cast<uint32_t>(
    std::count_if(tasks_.begin(), tasks_.end(), [](const task& y) { return y.ended; }));
  found->ended = true;
  found->state = x.state;
  found->exit_code = x.exit_code;
  found->reason = x.reason;
  found->cause = x.cause;
  tell(wall_ns, name_of(*found) + " " + end_text(x.state, x.exit_code, x.reason));
}

void gang::apply(const gang_stopping_msg& x, int64_t wall_ns) {
  stopping_ = true;
  next_ = x.next;
  reason_ = x.reason;
  if (next_ == job_state::restarting) {
    state_ = job_state::restarting;
    ++restarts_[static_cast<size_t>(x.cause)];
  }
  if (next_ != job_state::succeeded && attempt_ != 0)
    remember_end(x, wall_ns);
  tell(wall_ns, "stopping: " + reason_);
}

void gang::remember_end(const gang_stopping_msg& x, int64_t wall_ns) {
  attempt_end_msg end;
  end.attempt = attempt_;
  end.started_ns = static_cast<uint64_t>(attempt_started_ns_);
  end.ended_ns = static_cast<uint64_t>(wall_ns);
  end.cause = x.cause;
  end.reason = x.reason;
  end.type = x.type;
  end.index = x.index;
  if (ends_.size() == ends_max)
    ends_.erase(ends_.begin());
  ends_.push_back(std::move(end));
}

void gang::apply(const job_changed_msg& x, int64_t wall_ns) {
  state_ = x.state;
  if (!x.reason.empty())
    reason_ = x.reason;
  if (final())
    ended_ns_ = wall_ns;
  if (state_ == job_state::succeeded || state_ == job_state::running)
    reason_.clear();
  tell(wall_ns, std::string{EnumNamejob_state(state_)} + (x.reason.empty() ? "" : ": " + x.reason));
}

void gang::apply(const job_held_msg& x, int64_t wall_ns) {
  held_ = x.held;
  held_reason_ = x.held ? x.reason : std::string{};
  waiting_since_ns_ = wall_ns;
  tell(wall_ns, (held_ ? "held" : "released") + (x.reason.empty() ? "" : ": " + x.reason));
}

void gang::tell(int64_t wall_ns, std::string text) {
  job_event_msg event;
  event.sequence = ++sequence_;
  event.time_ns = static_cast<uint64_t>(wall_ns);
  event.text = std::move(text);
  event.state = state_;
  if (events_.size() == events_max)
    events_.erase(events_.begin());
  events_.push_back(std::move(event));
}

gang::sight gang::see(const std::string& node, const task_report_msg& report) {
  auto* found = lookup(*report.task);
  auto ended = is_end(report.state);
  if (!found || found->node != node || found->ended || final())
    return {!ended, {}};
  if (!report.progress.empty()) {
    found->progress.clear();
    for (auto& x : report.progress)
      found->progress.push_back(std::make_unique<metric_msg>(*x));
  }
  if (ended) {
    auto state = report.state;
    if (state == task_state::succeeded && report.exit_code != 0)
      state = task_state::failed;
    // Nothing else is for a node to say.
    auto known
      = report.cause == exit_class::out_of_memory || report.cause == exit_class::infrastructure;
    auto cause = known ? report.cause : exit_class::user_error;
    auto end = end_of(*found, state, report.exit_code, report.reason, cause);
    auto files = bounded_copy(report.files, report.files_left_out);
    end.Astask_ended()->files = std::move(files.all);
    end.Astask_ended()->files_left_out = files.left_out;
    return {false, std::move(end)};
  }
  if (report.state > task_state::running)
    return {};
  auto awaits = report.awaits_next && report.generation >= generation_;
  auto known = found->seen >= report.state && found->told >= report.generation
               && found->fetches == (report.state == task_state::pending)
               && found->awaits_next == awaits
               && (report.port == 0
                   || (found->port == report.port && found->ui_port == report.ui_port
                       && found->host == report.host));
  found->seen = std::max(found->seen, report.state);
  found->fetches = report.state == task_state::pending;
  found->told = std::max(found->told, report.generation);
  found->awaits_next = awaits;
  if (report.port != 0) {
    found->host = report.host;
    found->port = report.port;
    found->ui_port = report.ui_port;
  }
  return {false, {}, !known};
}

std::vector<cluster_changeUnion> gang::node_lost(const std::string& node) const {
  std::vector<cluster_changeUnion> out;
  for (auto& x : tasks_)
    if (!x.ended && x.node == node)
      out.push_back(
        end_of(x, task_state::lost, 0, "the node does not answer", exit_class::lost_node));
  return out;
}

std::vector<cluster_changeUnion>
gang::missing(const std::string& node, const register_node_msg& report, bool same_life) const {
  std::vector<cluster_changeUnion> out;
  for (auto& x : tasks_) {
    if (x.ended || x.node != node)
      continue;
    auto named = std::any_of(report.tasks.begin(), report.tasks.end(),
                             [&](auto& y) { return y->task && find(*y->task) == &x; });
    auto on_its_way = same_life && x.seen == task_state::pending && x.stage == stage_
                      && (state_ != job_state::running || is_joining(x));
    if (!named && !on_its_way)
      out.push_back(
        end_of(x, task_state::lost, 0, "the node came back without it", exit_class::lost_node));
  }
  return out;
}

std::optional<cluster_changeUnion> gang::refused(const std::string& node, const task_id_msg& id,
                                                 const std::string& reason) const {
  auto* found = find(id);
  if (!found || found->ended || found->node != node || found->seen > task_state::starting)
    return {};
  return end_of(*found, task_state::failed, 0, reason, exit_class::infrastructure);
}

std::optional<cluster_changeUnion> gang::preempt(const std::string& reason) const {
  if (final() || stopping_ || state_ == job_state::queued)
    return {};
  return stop(job_state::restarting, reason, exit_class::preempted);
}

std::optional<cluster_changeUnion> gang::move_from(const std::string& node,
                                                   const std::string& reason) const {
  auto lives_there = [&](const task& x) { return !x.ended && x.node == node; };
  if (std::none_of(tasks_.begin(), tasks_.end(), lives_there))
    return {};
  return preempt(reason);
}

std::optional<cluster_changeUnion> gang::hold(bool held, const std::string& reason) const {
  if (final() || held == held_)
    return {};
  job_held_msg out;
  out.job = submitted_.job;
  out.held = held;
  out.reason = reason;
  return change_of(std::move(out));
}

std::optional<cluster_changeUnion> gang::give_up(const std::string& reason) const {
  if (final() || (stopping_ && next_ != job_state::restarting))
    return {};
  return stop(job_state::failed, reason, exit_class::user_error);
}

void gang::block(std::string reason) {
  blocked_ = std::move(reason);
  was_blocked_ = was_blocked_ || !blocked_.empty();
}

std::optional<cluster_changeUnion> gang::kill(const std::string& reason) const {
  if (final() || (stopping_ && next_ == job_state::killed))
    return {};
  return stop(job_state::killed, reason.empty() ? "killed on request" : reason,
              exit_class::user_error);
}

void gang::order_again(const std::string& node) {
  for (auto& x : tasks_)
    if (x.node == node)
      x.ordered = 0;
}

bool has_ended(job_state x) noexcept {
  return x == job_state::succeeded || x == job_state::failed || x == job_state::killed;
}

std::string gang::output_directory() const {
  return options_->jobs_directory + "/" + std::to_string(submitted_.job) + "/"
         + std::to_string(attempt_);
}

const gang::task* gang::find(const task_id_msg& id) const {
  if (id.job != submitted_.job || id.attempt != attempt_)
    return nullptr;
  auto& types = spec().tasks;
  auto type = std::find_if(types.begin(), types.end(), [&](auto& x) { return x->name == id.type; });
  auto kind = static_cast<size_t>(type - types.begin());
  auto found = std::lower_bound(tasks_.begin(), tasks_.end(), std::pair{kind, id.index},
                                [](const task& x, auto& key) {
                                  return std::pair{x.kind, x.index} < key;
                                });
  auto here = found != tasks_.end() && found->kind == kind && found->index == id.index;
  return here ? &*found : nullptr;
}

gang::task* gang::lookup(const task_id_msg& id) {
  return const_cast<task*>(find(id));
}

std::string gang::name_of(const task& x) const {
  return "task " + task_name(type_of(x).name, x.index) + " on " + x.node;
}

task_id_msg gang::id_of(const task& x) const {
  task_id_msg out;
  out.job = submitted_.job;
  out.attempt = attempt_;
  out.type = type_of(x).name;
  out.index = x.index;
  return out;
}

cluster_changeUnion gang::end_of(const task& x, task_state state, int32_t code, std::string why,
                                 exit_class cause) const {
  task_ended_msg out;
  out.task = std::make_unique<task_id_msg>(id_of(x));
  out.node = x.node;
  out.state = state;
  out.exit_code = code;
  out.reason = std::move(why);
  out.cause = cause;
  return change_of(std::move(out));
}

cluster_changeUnion gang::become(job_state state, std::string reason) const {
  job_changed_msg out;
  out.job = submitted_.job;
  out.attempt = attempt_;
  out.state = state;
  out.reason = std::move(reason);
  return change_of(std::move(out));
}

} // namespace troupe
