#include "actors/jobs/tony_file.hpp"

#include "actors/jobs/job_rules.hpp"
#include "actors/jobs/quantities.hpp"
#include "actors/jobs/tony_horovod.hpp"
#include "actors/jobs/tony_image.hpp"
#include "actors/jobs/tony_limits.hpp"
#include "actors/jobs/tony_resource.hpp"
#include "actors/jobs/tony_values.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace troupe {
namespace {

constexpr size_t types_max = 64;
constexpr int64_t instances_max = 4096;
constexpr int64_t counted_max = 1 << 20; // cpus or accelerators of a task
constexpr int64_t seconds_max = std::chrono::seconds{longest_time}.count();

const std::string application = "tony.application.";

bool contains(const std::vector<std::string>& all, const std::string& x) {
  return std::find(all.begin(), all.end(), x) != all.end();
}

// A key or a value may hold what a terminal would obey.
std::string one_line(std::string x) {
  for (auto& c : x)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return x;
}

// One reading of one file.
class reader {
public:
  reader(std::string_view text, const job_file_options& options)
    : options_(options), values_(text, options) {}

  result<tony_job> read() {
    if (!values_.failed())
      read_job();
    if (values_.failed())
      return *values_.failed();
    if (auto ruled = check_rules(job_.spec); !ruled)
      return {errc::invalid, file() + ": " + ruled.error().text};
    job_.keys = values_.fates(names_);
    return std::move(job_);
  }

private:
  std::string file() const { return std::filesystem::path{options_.path}.filename().string(); }

  void fail(const std::string& key, const std::string& text) { values_.fail(key, text); }

  static std::string key_of(const std::string& type, const std::string& what) {
    return "tony." + type + "." + what;
  }

  task_type_msg* type_of(const std::string& name) {
    for (auto& x : job_.spec.tasks)
      if (x->name == name)
        return x.get();
    return nullptr;
  }

  void read_job() {
    job_.spec.directory = std::filesystem::path{options_.path}.parent_path().string();
    read_types();
    if (values_.failed())
      return;
    if (names_.empty())
      return fail({}, file() + ": the job has no tasks: set tony.worker.instances");
    read_application();
    read_environment();
    read_roles();
    read_stages();
    read_end_rules();
    read_tony_images(job_.spec, values_);
    read_registration_limit(job_.spec, values_);
    check_tony_limits(job_.spec, values_);
  }

  // ---- types of tasks ----

  void read_types() {
    for (auto& x : values_.entries())
      if (x.match.row && x.match.row->pattern == "tony.<t>.instances")
        if (auto count = values_.number(x.key, 0, instances_max); count && *count > 0)
          add_type(x.match.names[0], static_cast<uint32_t>(*count));
    add_board();
    if (adds_horovod_driver(values_, type_of("driver") != nullptr))
      add_type("driver", 1);
    if (names_.size() > types_max)
      return fail({}, file() + ": the job has more than 64 task types: make it several jobs");
    auto command = values_.text("tony.containers.command");
    const std::string everywhere = "tony.containers.resources";
    auto limit = values_.milliseconds("tony.task.executor.execution-timeout-ms");
    for (auto& type : job_.spec.tasks) {
      type->timeout_ns = limit.value_or(0);
      read_type(*type, command ? *command : std::string{});
      for (auto& x : values_.list(everywhere, {}))
        add_resource(everywhere, x, *type);
      for (auto& x : values_.list(key_of(type->name, "resources"), {}))
        add_resource(key_of(type->name, "resources"), x, *type);
    }
  }

  void add_resource(const std::string& key, const std::string& text, task_type_msg& to) {
    auto read = read_tony_resource(text, job_.spec.directory);
    if (!read)
      return fail(key, key + " has \"" + text.substr(0, 64) + "\", " + read.error().text);
    to.resources.push_back(std::make_unique<resource_msg>(std::move(*read)));
  }

  task_type_msg& add_type(const std::string& name, uint32_t instances) {
    auto type = std::make_unique<task_type_msg>();
    type->name = name;
    type->instances = instances;
    names_.push_back(name);
    job_.spec.tasks.push_back(std::move(type));
    return *job_.spec.tasks.back();
  }

  // The TensorBoard that TonY starts beside a job that says where its logs are.
  void add_board() {
    auto* logs = values_.text(application + "tensorboard-log-dir");
    if (!logs || logs->empty())
      return;
    auto* type = type_of("tensorboard");
    if (!type) {
      if (values_.text("tony.tensorboard.instances")) // 0: not wanted
        return values_.partly(application + "tensorboard-log-dir",
                              "tony.tensorboard.instances is 0");
      type = &add_type("tensorboard", 1);
    }
    type->cpus = 2;
    std::string quoted;
    for (auto c : *logs)
      quoted += c == '\'' ? std::string{"'\\''"} : std::string{c};
    std::string line = "exec tensorboard --logdir '" + quoted;
    line += "' --host \"${TROUPE_UI_HOST:-localhost}\" --port \"${TB_PORT:-0}\"";
    type->command = {"/bin/bash", "-c", line};
  }

  void read_type(task_type_msg& type, const std::string& common) {
    if (auto cpus = values_.number(key_of(type.name, "vcores"), 1, counted_max))
      type.cpus = static_cast<uint32_t>(*cpus);
    if (auto gpus = values_.number(key_of(type.name, "gpus"), 0, counted_max))
      type.accelerators = static_cast<uint32_t>(*gpus);
    if (auto memory = values_.size(key_of(type.name, "memory")))
      type.memory = *memory;
    type.after = values_.list(key_of(type.name, "depends-on"), {});
    auto* label = values_.text(key_of(type.name, "node-label"));
    if (!label)
      label = values_.text(application + "node-label");
    if (label && !label->empty())
      type.labels = {*label};
    if (auto limit = values_.milliseconds(key_of(type.name, "timeout")); limit && *limit > 0)
      type.timeout_ns = *limit;
    auto most = values_.number(key_of(type.name, "max-instances"), -1, instances_max);
    if (most && *most >= 0 && type.instances > *most)
      fail(key_of(type.name, "max-instances"), key_of(type.name, "instances") + " is "
                                                 + std::to_string(type.instances) + ", above tony."
                                                 + type.name + ".max-instances: ask for at most "
                                                 + std::to_string(*most));
    auto* own = values_.text(key_of(type.name, "command"));
    if (own && !own->empty()) // TonY runs its commands with bash
      type.command = {"/bin/bash", "-c", *own};
    else if (type.command.empty() && !common.empty())
      type.command = {"/bin/bash", "-c", common};
    if (type.command.empty())
      fail(key_of(type.name, "instances"),
           "task type " + type.name + " has no command: set tony." + type.name
             + ".command or tony.containers.command to what -executes started");
  }

  // ---- the job ----

  void read_application() {
    auto& spec = job_.spec;
    read_name();
    read_framework();
    auto* mode = values_.text(application + "distributed-mode");
    spec.each_when_ready = mode && lower_case(*mode) == "fcfs";
    if (mode && !spec.each_when_ready && lower_case(*mode) != "gang")
      fail(application + "distributed-mode",
           application + "distributed-mode is \"" + mode->substr(0, 64) + "\": write GANG or FCFS");
    spec.attempts_max
      = static_cast<uint32_t>(values_.number("tony.am.retry-count", 0, 1'000'000).value_or(0)) + 1;
    if (auto* queue = values_.text("tony.yarn.queue"))
      spec.queue = *queue;
    spec.tags = values_.list(application + "tags", {});
    spec.timeout_ns = values_.milliseconds(application + "timeout").value_or(0);
    spec.placement_timeout_ns
      = values_.milliseconds("tony.container.allocation.timeout").value_or(0);
  }

  void read_name() {
    auto key = application + "name";
    auto* given = values_.text(key);
    auto& name = job_.spec.name;
    name = given && !given->empty() ? *given : "TensorFlowApplication";
    auto written = name;
    name.resize(std::min<size_t>(name.size(), 128));
    for (auto& c : name) {
      auto plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!plain && c != '-' && c != '.')
        c = '_';
    }
    if (name[0] == '.')
      name[0] = '_';
    if (name != written)
      values_.partly(key, "a name has up to 128 letters, digits, '_', '-' and '.', so that the job "
                          "is named "
                            + name);
  }

  // What a framework needs of its job is a rule of all jobs: check_rules.
  void read_framework() {
    static constexpr std::array<std::pair<std::string_view, framework>, 5> known{
      {{"tensorflow", framework::tensorflow},
       {"pytorch", framework::pytorch},
       {"mxnet", framework::mxnet},
       {"horovod", framework::horovod},
       {"standalone", framework::standalone}}};
    auto key = application + "framework";
    auto* given = values_.text(key);
    auto name = given ? lower_case(*given) : std::string{"tensorflow"};
    auto found = std::find_if(known.begin(), known.end(), [&](auto& x) { return x.first == name; });
    if (found == known.end())
      return fail(key, key + " is \"" + name.substr(0, 64)
                         + "\": write tensorflow, pytorch, horovod, mxnet or standalone");
    job_.spec.framework = found->second;
  }

  void read_environment() {
    std::map<std::string, std::string> all;
    for (auto* key : {"tony.containers.envs", "tony.execution.envs"})
      for (auto& x : values_.list(key, {})) {
        auto name = x.substr(0, x.find('='));
        if (name.empty())
          return fail(key, std::string{key} + " has \"" + x.substr(0, 64)
                             + "\", which names no variable: write NAME=VALUE,NAME=VALUE");
        all[name] = x.substr(std::min(x.size(), name.size() + 1));
      }
    for (auto& type : job_.spec.tasks)
      for (auto& [name, value] : all) {
        auto variable = std::make_unique<variable_msg>();
        variable->name = name;
        variable->value = value;
        type->env.push_back(std::move(variable));
      }
  }

  // ---- roles, order, ends ----

  // The types of a list that the job has; those that it has not are no part of what it does.
  std::vector<std::string> types_in(const std::string& key, const std::string& otherwise) {
    auto out = values_.list(application + key, {otherwise});
    for (auto& x : out)
      if (!contains(names_, x))
        values_.partly(application + key, "the job has no tasks of type " + x.substr(0, 64));
    return out;
  }

  void read_roles() {
    auto untracked = types_in("untracked.jobtypes", "ps");
    auto sidecars = types_in("sidecar.jobtypes", "tensorboard");
    auto stopping = types_in("stop-on-failure-jobtypes", "ps");
    auto any = values_.flag(application + "fail-on-worker-failure-enabled", false);
    for (auto& type : job_.spec.tasks) {
      if (contains(sidecars, type->name))
        type->role = task_role::sidecar;
      else if (contains(untracked, type->name) || is_horovod_driver(job_.spec, *type))
        type->role = task_role::untracked;
      type->go_on = !any && type->role == task_role::tracked && type->name != "chief"
                    && !contains(stopping, type->name);
    }
  }

  // The types of a stage that the file sets; all have to be types of the job.
  std::vector<std::string> stage(const std::string& key) {
    auto out = values_.list(key, {});
    for (auto& x : out)
      if (!contains(names_, x))
        fail(key, key + " names \"" + x.substr(0, 64)
                    + "\", which is no task type of the job: correct it, or set tony."
                    + x.substr(0, 64) + ".instances");
    return out;
  }

  void read_stages() {
    auto first_key = application + "prepare-stage", second_key = application + "training-stage";
    auto first = stage(first_key), second = stage(second_key);
    if (first.empty() && second.empty())
      return;
    for (auto& x : names_) {
      auto in_first = contains(first, x), in_second = contains(second, x);
      if (in_first && in_second)
        return fail(second_key, "type " + x + " is in both stages: take it out of one");
      if (in_first || in_second || type_of(x)->role == task_role::sidecar)
        continue;
      if (!first.empty() && !second.empty())
        return fail(second_key, "type " + x + " is in neither stage: add it to " + first_key
                                  + " or " + second_key);
    }
    auto& rest = first.empty() ? first : second;
    const auto listed = first.empty() ? second : first;
    if (rest.empty())
      std::copy_if(names_.begin(), names_.end(), std::back_inserter(rest),
                   [&](auto& x) { return !contains(listed, x); });
    for (auto& x : second)
      for (auto& y : first)
        if (type_of(x) && type_of(y) && type_of(y)->role == task_role::tracked
            && !contains(type_of(x)->after, y))
          type_of(x)->after.push_back(y);
  }

  void read_end_rules() {
    const std::string ignored = ".ignored";
    for (auto& x : values_.entries()) {
      if (!x.match.row || !x.match.row->pattern.starts_with("tony.application.dependency."))
        continue;
      if (!x.key.ends_with(ignored)) {
        read_end_rule(x.key, x.match.names[0], x.match.names[1]);
        continue;
      }
      values_.flag(x.key, false);
      auto rule = x.key.substr(0, x.key.size() - ignored.size());
      if (!values_.text(rule))
        fail(x.key, x.key.substr(0, 256) + " belongs to a time-out that is not set: set " + rule);
    }
  }

  void read_end_rule(const std::string& key, const std::string& type, const std::string& group) {
    auto shown = key.substr(0, 256);
    auto seconds = values_.number(key, 1, seconds_max);
    auto members = values_.list(application + "group." + group, {});
    if (!seconds)
      return;
    if (members.empty())
      return fail(key, shown + " waits for a group that is empty or not set: set "
                         + "tony.application.group." + group);
    if (members.size() > names_.size())
      return fail(key, "tony.application.group." + group + " names a type twice: remove one");
    members.push_back(type);
    for (auto& x : members)
      if (!contains(names_, x))
        return fail(key, shown + " has to do with \"" + x.substr(0, 64)
                           + "\", which is no task type of the job: correct the name");
    members.pop_back();
    auto rule = std::make_unique<end_rule_msg>();
    rule->type = type;
    rule->after = members;
    rule->within_ns = static_cast<uint64_t>(*seconds) * 1'000'000'000;
    rule->ignore = values_.flag(key + ".ignored", false);
    job_.spec.end_rules.push_back(std::move(rule));
  }

  const job_file_options& options_;
  tony_values values_;
  std::vector<std::string> names_; // of the types, in the order of their instances
  tony_job job_;
};

} // namespace

result<tony_job> parse_tony_file(std::string_view text, const job_file_options& options) {
  auto out = reader{text, options}.read();
  if (!out)
    return {out.error().code, one_line(out.error().text)};
  return out;
}

std::vector<std::string> notes_of(const tony_job& job) {
  std::vector<std::string> out;
  for (auto& x : job.keys)
    if (!x.why.empty())
      out.push_back(one_line(x.key.substr(0, 256) + " has no effect"
                             + (x.honoured ? " in part: " : ": ") + x.why));
  return out;
}

} // namespace troupe
