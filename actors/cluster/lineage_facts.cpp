#include "actors/cluster/lineage_facts.hpp"

#include "actors/cluster/lineage_nodes.hpp"
#include "storage/hash.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

namespace troupe {

namespace {

namespace fs = std::filesystem;
using storage::change_set;
using storage::node_kind;
using storage::node_put;
using storage::node_ref;
using storage::node_state;

constexpr size_t pieces_max = 64;    // of a long text
constexpr size_t reason_max = 4096;  // bytes of it that are kept
constexpr size_t nodes_max = 20'000; // tasks of a placement, outputs of an attempt

std::string task_in_lineage(uint64_t job, uint32_t attempt, std::string_view type, uint32_t index) {
  return id_of(
    "execution",
    attempt_key(job, attempt).append("/").append(type).append(":").append(std::to_string(index)));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (auto& each : lines)
    all += each + '\n';
  return all;
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

node_state state_of(job_state x) {
  switch (x) {
  case job_state::queued:
    return node_state::created;
  case job_state::succeeded:
    return node_state::complete;
  case job_state::failed:
    return node_state::failed;
  case job_state::killed:
    return node_state::canceled;
  default:
    return node_state::running;
  }
}

node_state state_of(task_state x) {
  switch (x) {
  case task_state::succeeded:
    return node_state::complete;
  case task_state::failed:
    return node_state::failed;
  case task_state::killed:
    return node_state::canceled;
  default:
    return node_state::running;
  }
}

// A node that is there changes only in what the mask names.
node_put update_of(node_kind kind, std::string_view type, std::string external_id,
                   std::vector<std::string> mask) {
  auto out = put_of(kind, type, std::move(external_id));
  out.existing = storage::on_existing::update;
  out.mask = std::move(mask);
  return out;
}

int64_t number(uint64_t x) {
  return static_cast<int64_t>(x);
}

// A text of many lines, in as many properties as it takes: NAME, NAME.1, NAME.2 ...
void put_lines(storage::node& to, const std::string& name, const std::string& lines) {
  constexpr size_t piece = storage::metadata_limits::value_max;
  to.properties.insert_or_assign(name, lines.substr(0, piece));
  for (size_t n = 1; n * piece < lines.size() && n < pieces_max; ++n)
    to.custom.insert_or_assign(name + "." + std::to_string(n), lines.substr(n * piece, piece));
}

std::vector<std::string> lines_property(const storage::node& x, const std::string& name) {
  auto all = text_property(x, name);
  for (size_t n = 1; x.custom.contains(name + "." + std::to_string(n)); ++n)
    all += text_property(x, name + "." + std::to_string(n));
  return lines_of(all);
}

class facts {
public:
  facts(const storage::metadata_view& known, const std::string& jobs_directory, int64_t time_ns)
    : known_(known), jobs_directory_(jobs_directory), time_ns_(time_ns) {
    out_.keep_events = true;
    out_.clamp_times = true; // the clock of who logged it may have been ahead
  }

  void add(const job_submitted_msg& x) {
    auto job = put_of(node_kind::context, "job", job_in_lineage(x.job));
    job.what.name = job_key(x.job);
    job.what.properties = {{"job", number(x.job)},
                           {"name", x.spec->name},
                           {"user", x.user},
                           {"state", std::string(EnumNamejob_state(job_state::queued))}};
    put_lines(job.what, "inputs", joined(x.spec->inputs));
    put_lines(job.what, "packages", packages_of(*x.spec));
    put_lines(job.what, "outputs", joined(x.spec->outputs));
    out_.nodes.push_back(std::move(job));
  }

  void add(const attempt_placed_msg& x) {
    auto job = known_.by_external_id(node_kind::context, job_in_lineage(x.job));
    if (!job || !*job)
      return;
    auto context = put(put_of(node_kind::context, "job", job_in_lineage(x.job)));
    auto placed = put_of(node_kind::execution, "attempt", attempt_in_lineage(x.job, x.attempt));
    placed.what.state = node_state::running;
    placed.what.properties = {{"job", number(x.job)},
                              {"attempt", number(x.attempt)},
                              {"name", text_property(**job, "name")},
                              {"state", std::string(EnumNamejob_state(job_state::starting))}};
    auto attempt = put(std::move(placed));
    out_.links.push_back({storage::link_kind::association, context, attempt});
    for (auto& each : x.tasks)
      if (out_.nodes.size() < nodes_max)
        add_task(context, x, *each);
    for (auto& path : lines_property(**job, "inputs"))
      add_input(context, attempt, file_of(path, "file"));
    for (auto& line : lines_property(**job, "packages"))
      add_input(context, attempt, package_of(line));
  }

  void add(const task_ended_msg& x) {
    auto id = task_in_lineage(x.task->job, x.task->attempt, x.task->type, x.task->index);
    if (!is_known(node_kind::execution, id))
      return;
    auto task
      = update_of(node_kind::execution, "task", id,
                  {"state", "properties.exit_code", "properties.reason", "properties.state"});
    task.what.state = state_of(x.state);
    task.what.properties = {{"state", std::string(EnumNametask_state(x.state))},
                            {"exit_code", int64_t{x.exit_code}},
                            {"reason", storage::fitting(x.reason, reason_max)}};
    auto self = put(std::move(task));
    auto context = x.files.empty()
                     ? node_ref{}
                     : put(put_of(node_kind::context, "job", job_in_lineage(x.task->job)));
    for (auto& each : x.files)
      if (out_.nodes.size() < nodes_max)
        add_file(context, self, *x.task, *each);
  }

  void add(const job_changed_msg& x) {
    if (!is_known(node_kind::context, job_in_lineage(x.job)))
      return;
    auto name = std::string(EnumNamejob_state(x.state));
    auto job = update_of(node_kind::context, "job", job_in_lineage(x.job),
                         {"properties.state", "properties.last_attempt"});
    job.what.properties = {{"state", name}, {"last_attempt", number(x.attempt)}};
    auto context = put(std::move(job));
    if (!is_known(node_kind::execution, attempt_in_lineage(x.job, x.attempt)))
      return;
    auto now = update_of(node_kind::execution, "attempt", attempt_in_lineage(x.job, x.attempt),
                         {"state", "properties.state"});
    now.what.state = state_of(x.state);
    now.what.properties = {{"state", name}};
    auto attempt = put(std::move(now));
    if (x.state == job_state::succeeded)
      add_outputs(context, attempt, x.job, x.attempt);
  }

  change_set take() { return std::move(out_); }

private:
  bool is_known(node_kind kind, std::string_view external_id) const {
    auto found = known_.by_external_id(kind, external_id);
    return found && *found;
  }

  node_ref put(node_put x) {
    out_.nodes.push_back(std::move(x));
    return node_ref::put(out_.nodes.size() - 1);
  }

  // What a later stage brings, and tasks that join a running gang, come with events of their own.
  void add_task(node_ref context, const attempt_placed_msg& x, const placed_task_msg& placed) {
    auto task = update_of(node_kind::execution, "task",
                          task_in_lineage(x.job, x.attempt, placed.type, placed.index),
                          {"state", "properties"}); // one that is placed again begins anew
    task.what.state = node_state::running;
    task.what.properties
      = {{"job", number(x.job)}, {"attempt", number(x.attempt)},
         {"type", placed.type},  {"index", number(placed.index)},
         {"node", placed.node},  {"state", std::string(EnumNametask_state(task_state::starting))}};
    out_.links.push_back({storage::link_kind::association, context, put(std::move(task))});
  }

  // As its executor saw it.
  void add_file(node_ref context, node_ref task, const task_id_msg& of, const file_use_msg& x) {
    if (x.use == file_use_kind::read) {
      auto file = file_of(x.path, "file", x.hash);
      return add_input(context, task, std::move(file));
    }
    auto attempt_directory
      = jobs_directory_ + "/" + std::to_string(of.job) + "/" + std::to_string(of.attempt) + "/";
    auto checkpoint = x.path.ends_with(".ckpt") && !x.path.starts_with(attempt_directory);
    auto type = x.use == file_use_kind::log       ? "log"
                : x.use == file_use_kind::metrics ? "metrics"
                : checkpoint                      ? "checkpoint"
                                                  : "output";
    add_output(context, task, of.job, of.attempt, file_of(x.path, type, x.hash));
  }

  // A file with its hash, as it is now.
  static node_put file_of(const std::string& path, std::string_view type) {
    std::error_code none;
    auto hash = fs::is_regular_file(path, none) // no other has an end for sure
                  ? storage::sha256_file(path)
                  : error{errc::not_found, ""};
    return file_of(path, type, hash ? *hash : "");
  }

  static node_put file_of(const std::string& path, std::string_view type, const std::string& hash) {
    auto out = put_of(node_kind::artifact, type, {});
    out.what.uri = uri_of_file(path);
    out.what.hash = hash;
    out.what.state = node_state::live;
    out.what.properties = {{"name", name_of_file(path)}};
    return out;
  }

  // The content is the artifact, whatever its name was.
  static node_put package_of(const std::string& line) {
    auto space = line.find(' ');
    auto out = put_of(node_kind::artifact, "package", {});
    out.what.hash = line.substr(0, space);
    out.what.uri = std::string{"package:"}.append(out.what.hash);
    out.what.state = node_state::live;
    out.what.properties = {{"name", name_of_file(line.substr(std::min(space + 1, line.size())))}};
    return out;
  }

  void add_input(node_ref context, node_ref attempt, node_put x) {
    auto name = text_property(x.what, "name");
    x.what.external_id = id_of_input(x.what);
    auto newest = newest_of(known_, x.what);
    auto input = newest == 0 ? put(std::move(x)) : node_ref::stored(newest);
    add_event(attempt, input, storage::event_type::input, name);
    out_.links.push_back({storage::link_kind::attribution, context, input});
  }

  void add_outputs(node_ref context, node_ref attempt, uint64_t job, uint32_t number_of_attempt) {
    auto known = known_.by_external_id(node_kind::context, job_in_lineage(job));
    if (!known || !*known)
      return;
    // What a task told of was read when it ended, and is not read again.
    auto add = [&](const std::string& path, std::string_view type) {
      auto told = known_.get(node_kind::artifact,
                             written_by(known_, job, number_of_attempt, uri_of_file(path)));
      add_output(context, attempt, job, number_of_attempt,
                 told && !told->hash.empty() ? file_of(path, type, "") : file_of(path, type));
    };
    auto root = jobs_directory_ + "/" + std::to_string(job);
    std::error_code none;
    std::vector<std::string> checkpoints;
    fs::recursive_directory_iterator at{root + "/checkpoints",
                                        fs::directory_options::skip_permission_denied, none};
    for (; !none && at != fs::recursive_directory_iterator{}; at.increment(none))
      if (std::error_code gone; at->is_regular_file(gone) && at->path().extension() == ".ckpt")
        checkpoints.push_back(at->path().string());
    std::sort(checkpoints.begin(), checkpoints.end());
    auto left_out = checkpoints.size() > nodes_max ? checkpoints.size() - nodes_max : 0;
    for (auto i = left_out; i < checkpoints.size(); ++i) // the last ones are those that count
      add(checkpoints[i], "checkpoint");
    for (auto& name : lines_property(**known, "outputs"))
      add(root + "/" + std::to_string(number_of_attempt) + "/" + name, "output");
  }

  // What the disk of the master does not have, the task may have told of.
  void add_output(node_ref context, node_ref execution, uint64_t job, uint32_t attempt,
                  node_put x) {
    auto name = text_property(x.what, "name");
    x.what.external_id = output_id(job, attempt, x.what);
    auto told = x.what.hash.empty() ? written_by(known_, job, attempt, x.what.uri) : 0;
    if (auto same = known_.by_external_id(node_kind::artifact, x.what.external_id);
        same && *same && told == 0)
      told = (*same)->id; // of whatever type
    x.what.properties.emplace("job", number(job));
    x.what.properties.emplace("attempt", number(attempt));
    auto output = told == 0 ? put(std::move(x)) : node_ref::stored(told);
    add_event(execution, output, storage::event_type::output, name);
    out_.links.push_back({storage::link_kind::attribution, context, output});
  }

  void add_event(node_ref execution, node_ref artifact, storage::event_type type,
                 const std::string& name) {
    out_.events.push_back(
      {execution, artifact, type, {name}, static_cast<uint64_t>(std::max<int64_t>(time_ns_, 0))});
  }

  const storage::metadata_view& known_;
  const std::string& jobs_directory_;
  const int64_t time_ns_;
  change_set out_;
};

} // namespace

std::string job_in_lineage(uint64_t job) {
  return id_of("execution", job_key(job));
}

std::string attempt_in_lineage(uint64_t job, uint32_t attempt) {
  return id_of("execution", attempt_key(job, attempt));
}

std::vector<std::string> lines_of(std::string_view all) {
  std::vector<std::string> lines;
  while (!all.empty()) {
    auto end = std::min(all.find('\n'), all.size());
    if (end > 0)
      lines.emplace_back(all.substr(0, end));
    all.remove_prefix(std::min(end + 1, all.size()));
  }
  return lines;
}

storage::change_set facts_of(const cluster_event_msg& event, const storage::metadata_view& known,
                             const std::string& jobs_directory) {
  facts all(known, jobs_directory, event.time_ns);
  if (auto* submitted = event.change.Asjob_submitted())
    all.add(*submitted);
  else if (auto* placed = event.change.Asattempt_placed())
    all.add(*placed);
  else if (auto* ended = event.change.Astask_ended())
    all.add(*ended);
  else if (auto* changed = event.change.Asjob_changed())
    all.add(*changed);
  return all.take();
}

} // namespace troupe
