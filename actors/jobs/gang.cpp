#include "actors/jobs/gang.hpp"

#include "runtime/base/assert.hpp"

#include <algorithm>
#include <set>

namespace troupe {
namespace {

constexpr size_t events_max = 256; // per job; older ones are dropped

bool is_end(task_state x) {
  return x == task_state::succeeded || x == task_state::failed || x == task_state::killed
         || x == task_state::lost;
}

std::string outcome_text(task_state state, int32_t code, const std::string& why) {
  auto because = why.empty() ? std::string{} : ": " + why;
  switch (state) {
  case task_state::lost:
    return "was lost" + because;
  case task_state::killed:
    return "was killed" + because;
  case task_state::succeeded:
    return "exited with code 0";
  default:
    return code != 0 ? "exited with code " + std::to_string(code) + because : "failed" + because;
  }
}

} // namespace

std::string task_name(const std::string& type, uint32_t index) {
  return type + ":" + std::to_string(index);
}

gang::gang(const gang_options& options, const job_submitted_msg& submitted, int64_t wall_ns)
  : options_(&options), submitted_(submitted), submitted_ns_(wall_ns) {
  tell(wall_ns, "submitted");
}

gang::gang(const gang_options& options, const job_kept_msg& kept)
  : options_(&options), submitted_(*kept.submitted), state_(kept.state), attempt_(kept.attempt),
    reason_(kept.reason), stopping_(kept.stopping), next_(kept.next), secret_(kept.secret),
    submitted_ns_(kept.submitted_ns), started_ns_(kept.started_ns), ended_ns_(kept.ended_ns),
    sequence_(kept.sequence) {
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
    tasks_.push_back(std::move(out));
  }
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
}

void gang::apply(const attempt_placed_msg& x, int64_t wall_ns) {
  attempt_ = x.attempt;
  secret_ = x.secret;
  state_ = job_state::starting;
  stopping_ = false;
  if (started_ns_ == 0)
    started_ns_ = wall_ns;
  tasks_.clear();
  complete_by_.reset();
  retry_at_.reset();
  std::set<std::string> nodes;
  for (size_t kind = 0; kind < spec().tasks.size(); ++kind)
    for (auto& placed : x.tasks)
      if (placed->type == spec().tasks[kind]->name) {
        task out;
        out.kind = kind;
        out.index = placed->index;
        out.node = placed->node;
        nodes.insert(placed->node);
        tasks_.push_back(std::move(out));
      }
  std::stable_sort(tasks_.begin(), tasks_.end(), [](const task& a, const task& b) {
    return std::tie(a.kind, a.index) < std::tie(b.kind, b.index);
  });
  auto text = "attempt " + std::to_string(attempt_) + " is starting on";
  for (auto& node : nodes)
    text += " " + node;
  tell(wall_ns, text);
}

void gang::apply(const task_ended_msg& x, int64_t wall_ns) {
  auto* found = lookup(*x.task);
  if (!found || found->ended)
    return;
  found->ended = true;
  found->state = x.state;
  found->exit_code = x.exit_code;
  found->reason = x.reason;
  tell(wall_ns, name_of(*found) + " " + outcome_text(x.state, x.exit_code, x.reason));
}

void gang::apply(const gang_stopping_msg& x, int64_t wall_ns) {
  stopping_ = true;
  next_ = x.next;
  reason_ = x.reason;
  if (next_ == job_state::restarting)
    state_ = job_state::restarting;
  tell(wall_ns, "stopping: " + reason_);
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

std::optional<cluster_changeUnion> gang::next(time_point now) {
  if (final())
    return {};
  if (stopping_) {
    if (!all_ended())
      return {};
    if (next_ != job_state::restarting)
      return become(next_, reason_);
    if (!retry_at_) {
      auto wait = options_->backoff_first;
      for (uint32_t i = 1; i < attempt_ && wait < options_->backoff_max; ++i)
        wait *= 2;
      retry_at_ = now + std::min(wait, options_->backoff_max);
    }
    return {};
  }
  if (state_ == job_state::queued)
    return {};
  for (auto& x : tasks_)
    if (x.ended && x.state != task_state::succeeded)
      return fail(name_of(x) + " " + outcome_text(x.state, x.exit_code, x.reason));
  if (all_ended())
    return become(job_state::succeeded, {});
  if (state_ != job_state::starting)
    return {};
  if (all_registered())
    return become(job_state::running, {});
  if (!complete_by_)
    complete_by_ = now + options_->register_timeout;
  if (now < *complete_by_)
    return {};
  auto late = std::find_if(tasks_.begin(), tasks_.end(), [](const task& x) {
    return !x.ended && x.seen < task_state::registered;
  });
  TROUPE_ASSERT(late != tasks_.end());
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_->register_timeout);
  return fail(name_of(*late) + " did not register within " + std::to_string(seconds.count())
              + " s");
}

void gang::orders(time_point now, uint64_t epoch,
                  const std::function<bool(const std::string&)>& reachable,
                  std::vector<task_order>& out) {
  if (final() || state_ == job_state::queued)
    return;
  auto known = std::all_of(tasks_.begin(), tasks_.end(),
                           [](const task& x) { return x.port != 0 || x.ended; });
  for (size_t rank = 0; rank < tasks_.size(); ++rank) {
    auto& x = tasks_[rank];
    if (x.ended || !reachable(x.node))
      continue;
    std::optional<task_order> order;
    if (stopping_) {
      stop_task_msg stop;
      stop.epoch = epoch;
      stop.task = std::make_unique<task_id_msg>(id_of(x));
      stop.grace_ns = static_cast<uint64_t>(options_->stop_grace.count());
      order = send_stop{x.node, std::move(stop)};
    } else if (state_ == job_state::starting && x.seen == task_state::pending) {
      order = send_start{x.node, start_of(x, epoch)};
    } else if (state_ == job_state::running && known && x.seen < task_state::running) {
      order = send_spec{x.node, spec_of(rank, epoch)};
    }
    if (!order)
      continue;
    auto which = static_cast<int>(order->index()) + 1;
    if (x.ordered == which && now - x.ordered_at < options_->repeat_after)
      continue;
    x.ordered = which;
    x.ordered_at = now;
    out.push_back(std::move(*order));
  }
}

gang::sight gang::see(const std::string& node, const task_report_msg& report) {
  auto* found = lookup(*report.task);
  auto ended = is_end(report.state);
  if (!found || found->node != node || found->ended || final())
    return {!ended, {}};
  if (ended) {
    auto state = report.state;
    if (state == task_state::succeeded && report.exit_code != 0)
      state = task_state::failed;
    return {false, end_of(*found, state, report.exit_code, report.reason)};
  }
  if (report.state > task_state::running)
    return {};
  found->seen = std::max(found->seen, report.state);
  if (report.port != 0) {
    found->host = report.host;
    found->port = report.port;
  }
  if (!report.progress.empty()) {
    found->progress.clear();
    for (auto& x : report.progress)
      found->progress.push_back(std::make_unique<metric_msg>(*x));
  }
  return {};
}

std::vector<cluster_changeUnion> gang::node_lost(const std::string& node) const {
  std::vector<cluster_changeUnion> out;
  for (auto& x : tasks_)
    if (!x.ended && x.node == node)
      out.push_back(end_of(x, task_state::lost, 0, "the node does not answer"));
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
    auto on_its_way = same_life && x.seen == task_state::pending && state_ != job_state::running;
    if (!named && !on_its_way)
      out.push_back(end_of(x, task_state::lost, 0, "the node came back without it"));
  }
  return out;
}

std::optional<cluster_changeUnion> gang::refused(const std::string& node, const task_id_msg& id,
                                                 const std::string& reason) const {
  auto* found = find(id);
  if (!found || found->ended || found->node != node || found->seen > task_state::starting)
    return {};
  return end_of(*found, task_state::failed, 0, reason);
}

std::optional<cluster_changeUnion> gang::move_from(const std::string& node) const {
  auto lives_there = [&](const task& x) { return !x.ended && x.node == node; };
  if (final() || stopping_ || std::none_of(tasks_.begin(), tasks_.end(), lives_there))
    return {};
  return stop(job_state::restarting, "node " + node + " is leaving the cluster");
}

std::optional<cluster_changeUnion> gang::kill(const std::string& reason) const {
  if (final() || (stopping_ && next_ == job_state::killed))
    return {};
  return stop(job_state::killed, reason.empty() ? "killed on request" : reason);
}

void gang::order_again(const std::string& node) {
  for (auto& x : tasks_)
    if (x.node == node)
      x.ordered = 0;
}

bool gang::wants_placement(time_point now) const {
  if (state_ == job_state::queued)
    return !stopping_;
  return state_ == job_state::restarting && stopping_ && next_ == job_state::restarting
         && all_ended() && retry_at_ && now >= *retry_at_;
}

bool has_ended(job_state x) noexcept {
  return x == job_state::succeeded || x == job_state::failed || x == job_state::killed;
}

std::string gang::output_directory() const {
  return options_->jobs_directory + "/" + std::to_string(submitted_.job) + "/"
         + std::to_string(attempt_);
}

bool gang::all_ended() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const task& x) { return x.ended; });
}

bool gang::all_registered() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const task& x) {
    return x.ended || (x.seen >= task_state::registered && x.port != 0);
  });
}

const gang::task* gang::find(const task_id_msg& id) const {
  if (id.job != submitted_.job || id.attempt != attempt_)
    return nullptr;
  for (auto& x : tasks_)
    if (x.index == id.index && type_of(x).name == id.type)
      return &x;
  return nullptr;
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

cluster_changeUnion gang::end_of(const task& x, task_state state, int32_t code,
                                 std::string why) const {
  task_ended_msg out;
  out.task = std::make_unique<task_id_msg>(id_of(x));
  out.node = x.node;
  out.state = state;
  out.exit_code = code;
  out.reason = std::move(why);
  return change_of(std::move(out));
}

cluster_changeUnion gang::stop(job_state next, std::string reason) const {
  gang_stopping_msg out;
  out.job = submitted_.job;
  out.attempt = attempt_;
  out.next = next;
  out.reason = std::move(reason);
  return change_of(std::move(out));
}

cluster_changeUnion gang::fail(const std::string& reason) const {
  return stop(attempt_ < spec().attempts_max ? job_state::restarting : job_state::failed, reason);
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
