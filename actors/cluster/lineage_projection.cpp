#include "actors/cluster/lineage_projection.hpp"

#include "actors/cluster/job_archive.hpp"
#include "runtime/base/log.hpp"
#include "storage/event_log.hpp"
#include "storage/hash.hpp"
#include "storage/metadata.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <thread>

namespace troupe {

namespace {

namespace fs = std::filesystem;
using storage::metadata_changes;

std::string job_key(uint64_t job) {
  return "job/" + std::to_string(job);
}

std::string attempt_key(uint64_t job, uint32_t attempt) {
  return job_key(job) + "/attempt/" + std::to_string(attempt);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (auto& each : lines)
    all += each + '\n';
  return all;
}

std::vector<std::string> split(std::string_view all) {
  std::vector<std::string> lines;
  while (!all.empty()) {
    auto end = std::min(all.find('\n'), all.size());
    if (end > 0)
      lines.emplace_back(all.substr(0, end));
    all.remove_prefix(std::min(end + 1, all.size()));
  }
  return lines;
}

// The packages of a job, each once: `HASH PATH`, a line each.
std::string packages_of(const job_spec_msg& spec) {
  std::map<std::string, std::string> all;
  for (auto& type : spec.tasks)
    for (auto& each : type->resources)
      all.emplace(each->hash, each->path);
  std::vector<std::string> lines;
  for (auto& [hash, path] : all)
    lines.push_back(std::string{hash}.append(" ").append(path));
  return joined(lines);
}

// The content is the artifact, whatever its name was.
storage::artifact package_artifact(const std::string& line, int64_t time_ns) {
  storage::artifact made;
  auto space = line.find(' ');
  made.hash = line.substr(0, space);
  made.uri = std::string{"package:"}.append(made.hash);
  made.id = storage::artifact_id(made.uri, made.hash);
  made.type = "package";
  made.name = fs::path{line.substr(std::min(space + 1, line.size()))}.filename().string();
  made.created_ns = static_cast<uint64_t>(time_ns);
  return made;
}

// A file with its hash, as it is now.
storage::artifact file_artifact(const std::string& path, const std::string& type, int64_t time_ns) {
  storage::artifact made;
  auto hash = storage::sha256_file(path);
  made.hash = hash ? *hash : std::string{};
  made.uri = "file://" + path;
  made.id = storage::artifact_id(made.uri, made.hash);
  made.type = type;
  made.name = fs::path{path}.filename().string();
  made.created_ns = static_cast<uint64_t>(time_ns);
  return made;
}

} // namespace

struct lineage_projection::state {
  state(storage::metadata& into_, std::string jobs, const job_archive* history_, lineage_work where)
    : into(into_), jobs_directory(std::move(jobs)), history(history_) {
    if (where == lineage_work::on_own_thread)
      worker = std::thread{[this] { work(); }};
  }

  ~state() {
    {
      std::lock_guard guard{mutex};
      stopping = true;
    }
    changed.notify_all();
    if (worker.joinable())
      worker.join();
  }

  void work();
  void add(std::vector<std::pair<uint64_t, cluster_event_msg>> events);
  void apply_first(std::unique_lock<std::mutex>& guard);
  void apply(uint64_t sequence, const cluster_event_msg& event);
  result<void> commit(uint64_t sequence, metadata_changes changes);
  metadata_changes changes_of(const cluster_event_msg& event) const;
  void add_attempt(metadata_changes& to, const attempt_placed_msg& placed, int64_t time_ns) const;
  void add_outputs(metadata_changes& to, uint64_t job, uint32_t attempt, int64_t time_ns) const;

  storage::metadata& into;
  const std::string jobs_directory;
  const job_archive* history;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::pair<uint64_t, cluster_event_msg>> waiting;
  bool stopping = false;
  std::thread worker;
};

void lineage_projection::state::work() {
  std::unique_lock guard{mutex};
  for (;;) {
    changed.wait(guard, [this] { return stopping || !waiting.empty(); });
    if (stopping)
      return; // what waits is applied from the log at the next start
    apply_first(guard);
  }
}

void lineage_projection::state::apply_first(std::unique_lock<std::mutex>& guard) {
  auto [sequence, event] = std::move(waiting.front());
  waiting.pop_front();
  guard.unlock();
  apply(sequence, event);
  guard.lock();
}

void lineage_projection::state::add(std::vector<std::pair<uint64_t, cluster_event_msg>> events) {
  std::unique_lock guard{mutex};
  for (auto& each : events)
    waiting.push_back(std::move(each));
  if (worker.joinable())
    return changed.notify_all();
  while (!waiting.empty())
    apply_first(guard);
}

void lineage_projection::state::apply(uint64_t sequence, const cluster_event_msg& event) {
  if (sequence <= into.applied())
    return;
  if (auto* purged = event.change.Asjob_purged()) {
    std::error_code failed; // what cannot be removed stays, and is in the log
    fs::remove_all(jobs_directory + "/" + std::to_string(purged->job), failed);
    if (failed)
      log::warning("a purged job's directory stays",
                   {{"job", purged->job}, {"reason", failed.message()}});
  }
  auto beside = history ? history->changes_of(sequence, event) : storage::batch{};
  if (!beside) {
    log::error("the history lacks an event",
               {{"sequence", sequence}, {"reason", beside.error().text}});
    beside = storage::batch{};
  }
  auto changes = changes_of(event);
  changes.beside = *beside;
  auto applied = commit(sequence, std::move(changes));
  if (applied)
    return;
  log::error("the lineage lacks an event",
             {{"sequence", sequence}, {"reason", applied.error().text}});
  if (applied.error().code == errc::invalid) // of the lineage: the history goes on without it
    static_cast<void>(commit(sequence, {{}, {}, {}, std::move(*beside)}));
}

result<void> lineage_projection::state::commit(uint64_t sequence, metadata_changes changes) {
  std::promise<result<void>> done;
  into.apply(sequence, std::move(changes), [&](result<void> x) { done.set_value(std::move(x)); });
  return done.get_future().get();
}

void lineage_projection::state::add_outputs(metadata_changes& to, uint64_t job, uint32_t attempt,
                                            int64_t time_ns) const {
  auto known = into.get_execution(storage::execution_id(job_key(job)));
  if (!known)
    return;
  auto add = [&](const std::string& path, const std::string& type) {
    auto made = file_artifact(path, type, time_ns);
    made.properties["job"] = std::to_string(job);
    made.properties["attempt"] = std::to_string(attempt);
    to.events.push_back({storage::execution_id(attempt_key(job, attempt)), made.id,
                         storage::event_role::output, made.name});
    to.artifacts.push_back(std::move(made));
  };
  auto root = jobs_directory + "/" + std::to_string(job);
  std::error_code none;
  std::vector<std::string> checkpoints;
  for (auto& entry : fs::recursive_directory_iterator{root + "/checkpoints", none})
    if (entry.is_regular_file(none) && entry.path().extension() == ".ckpt")
      checkpoints.push_back(entry.path().string());
  std::sort(checkpoints.begin(), checkpoints.end());
  for (auto& each : checkpoints)
    add(each, "checkpoint");
  for (auto& name : split(known->properties["outputs"]))
    add(root + "/" + std::to_string(attempt) + "/" + name, "output");
}

// What a later stage brings, and tasks that join a running gang, is added to the attempt's.
void lineage_projection::state::add_attempt(metadata_changes& to, const attempt_placed_msg& placed,
                                            int64_t time_ns) const {
  auto known = into.get_execution(storage::execution_id(job_key(placed.job)));
  storage::execution attempt;
  attempt.id = storage::execution_id(attempt_key(placed.job, placed.attempt));
  auto before = into.get_execution(attempt.id);
  attempt.type = "attempt";
  attempt.name = known ? known->name : job_key(placed.job);
  attempt.state = placed.joining && before ? before->state
                                           : std::string(EnumNamejob_state(job_state::starting));
  auto tasks = before ? split(before->properties["tasks"]) : std::vector<std::string>{};
  for (auto& task : placed.tasks)
    tasks.push_back(task->type + ":" + std::to_string(task->index) + " on " + task->node);
  attempt.properties = {{"job", std::to_string(placed.job)},
                        {"attempt", std::to_string(placed.attempt)},
                        {"tasks", joined(tasks)}};
  auto read = [&](storage::artifact from) {
    to.events.push_back({attempt.id, from.id, storage::event_role::input, from.name});
    to.artifacts.push_back(std::move(from));
  };
  for (auto& path : known ? split(known->properties["inputs"]) : std::vector<std::string>{})
    read(file_artifact(path, "file", time_ns));
  for (auto& line : known ? split(known->properties["packages"]) : std::vector<std::string>{})
    read(package_artifact(line, time_ns));
  to.executions.push_back(std::move(attempt));
}

metadata_changes lineage_projection::state::changes_of(const cluster_event_msg& event) const {
  metadata_changes to;
  if (auto* x = event.change.Asjob_submitted()) {
    storage::execution job;
    job.id = storage::execution_id(job_key(x->job));
    job.type = "job";
    job.name = x->spec->name;
    job.state = std::string(EnumNamejob_state(job_state::queued));
    job.properties = {{"job", std::to_string(x->job)},
                      {"user", x->user},
                      {"inputs", joined(x->spec->inputs)},
                      {"packages", packages_of(*x->spec)},
                      {"outputs", joined(x->spec->outputs)}};
    to.executions.push_back(std::move(job));
  } else if (auto* placed = event.change.Asattempt_placed()) {
    add_attempt(to, *placed, event.time_ns);
  } else if (auto* now = event.change.Asjob_changed()) {
    for (auto& key : {job_key(now->job), attempt_key(now->job, now->attempt)})
      if (auto known = into.get_execution(storage::execution_id(key))) {
        known->state = std::string(EnumNamejob_state(now->state));
        known->properties["last_attempt"] = std::to_string(now->attempt);
        to.executions.push_back(std::move(*known));
      }
    if (now->state == job_state::succeeded)
      add_outputs(to, now->job, now->attempt, event.time_ns);
  }
  return to;
}

lineage_projection::lineage_projection(storage::metadata& into, std::string jobs_directory,
                                       const job_archive* history, lineage_work where)
  : state_(std::make_unique<state>(into, std::move(jobs_directory), history, where)) {}

lineage_projection::~lineage_projection() = default;

result<void> lineage_projection::catch_up(const storage::event_log& log) {
  auto trimmed = log.trimmed();
  if (!trimmed)
    return trimmed.error();
  auto first = std::max(state_->into.applied(), *trimmed) + 1;
  if (first > log.last_sequence())
    return {};
  result<void> all;
  std::vector<std::pair<uint64_t, cluster_event_msg>> found;
  TROUPE_TRY(log.replay(first, [&](uint64_t sequence, std::string_view bytes) {
    auto event = decode_record(bytes);
    if (event)
      found.emplace_back(sequence, std::move(*event));
    else if (all)
      all = event.error();
  }));
  state_->add(std::move(found));
  return all;
}

void lineage_projection::record(uint64_t first, const std::vector<cluster_event_msg>& records) {
  std::vector<std::pair<uint64_t, cluster_event_msg>> events;
  events.reserve(records.size());
  for (auto& each : records)
    events.emplace_back(first++, each);
  state_->add(std::move(events));
}

result<lineage_msg> lineage_projection::show(uint64_t job) const {
  auto known = state_->into.get_execution(storage::execution_id(job_key(job)));
  if (!known)
    return {errc::not_found,
            "no lineage of job " + std::to_string(job) + "; list the jobs with: troupe jobs"};
  nlohmann::json tree{{"job", job},
                      {"name", known->name},
                      {"state", known->state},
                      {"attempts", nlohmann::json::array()}};
  std::string text = "job " + std::to_string(job) + " (" + known->name + ") " + known->state + "\n";
  auto& last = known->properties["last_attempt"];
  uint32_t attempts = last.empty() ? 0 : static_cast<uint32_t>(std::stoul(last));
  for (uint32_t n = 1; n <= attempts; ++n) {
    auto id = storage::execution_id(attempt_key(job, n));
    auto graph = state_->into.lineage(id, storage::lineage_direction::both, 1);
    if (!graph)
      continue;
    nlohmann::json attempt{{"attempt", n},
                           {"inputs", nlohmann::json::array()},
                           {"outputs", nlohmann::json::array()},
                           {"tasks", nlohmann::json::array()}};
    std::string inputs;
    std::string outputs;
    for (auto& edge : graph->edges) {
      auto file = state_->into.get_artifact(edge.artifact);
      if (edge.execution != id || !file)
        continue;
      auto in = edge.role == storage::event_role::input;
      attempt[in ? "inputs" : "outputs"].push_back({{"type", file->type},
                                                    {"name", file->name},
                                                    {"uri", file->uri},
                                                    {"sha256", file->hash},
                                                    {"id", file->id}});
      (in ? inputs : outputs)
        += "    " + std::string(in ? "" : "-> ") + file->type + " " + file->uri
           + " sha256:" + (file->hash.empty() ? "unreadable" : file->hash.substr(0, 16)) + "\n";
    }
    auto execution = state_->into.get_execution(id);
    text += inputs + "    -> attempt " + std::to_string(n) + " "
            + (execution ? execution->state : "") + "\n";
    for (auto& task :
         execution ? split(execution->properties["tasks"]) : std::vector<std::string>{}) {
      text += "       -> task " + task + "\n";
      attempt["tasks"].push_back(task);
    }
    text += outputs;
    tree["attempts"].push_back(std::move(attempt));
  }
  lineage_msg answer;
  answer.text = std::move(text);
  // A path may be no UTF-8; it is in the text as it is.
  answer.json = tree.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  return answer;
}

} // namespace troupe
