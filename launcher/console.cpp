#include "launcher/console.hpp"

#include "launcher/commands.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

namespace troupe::launcher {

namespace {

using json = nlohmann::json;

// A path or a reason may be no UTF-8, which JSON has to be.
std::string pretty(const json& x) {
  return x.dump(2, ' ', false, json::error_handler_t::replace);
}

json tree_of(const job_status_msg& x) {
  json tasks = json::array();
  for (auto& each : x.tasks) {
    json progress = json::object();
    for (auto& metric : each->progress)
      progress[metric->name] = {{"value", metric->value}, {"step", metric->step}};
    tasks.push_back({{"task", each->type + ":" + std::to_string(each->index)},
                     {"node", each->node},
                     {"state", name_of(each->state)},
                     {"exit_code", each->exit_code},
                     {"log", each->log},
                     {"progress", progress}});
  }
  json ends = json::array();
  for (auto& each : x.ends)
    ends.push_back(
      {{"attempt", each->attempt},
       {"started_ns", each->started_ns},
       {"ended_ns", each->ended_ns},
       {"cause", EnumNameexit_class(each->cause)},
       {"reason", each->reason},
       {"task", each->type.empty() ? "" : each->type + ":" + std::to_string(each->index)}});
  return {{"job", x.job},
          {"name", x.name},
          {"user", x.user},
          {"state", name_of(x.state)},
          {"held", x.held},
          {"queue", x.queue},
          {"priority", EnumNamepriority_class(x.priority)},
          {"array", x.array},
          {"array_index", x.array_index},
          {"attempt", x.attempt},
          {"attempts", ends},
          {"reason", x.reason},
          {"submitted_ns", x.submitted_ns},
          {"started_ns", x.started_ns},
          {"ended_ns", x.ended_ns},
          {"tasks", tasks}};
}

// The newest metrics of the gang: of the first task that reports one.
std::map<std::string, double> gang_metrics(const job_status_msg& x) {
  std::map<std::string, double> found;
  for (auto& task : x.tasks)
    for (auto& metric : task->progress)
      found.emplace(metric->name, metric->value);
  return found;
}

std::string line_of(const job_status_msg& x) {
  auto metrics = gang_metrics(x);
  std::string line = "job " + std::to_string(x.job) + " " + name_of(x.state);
  if (x.state == job_state::queued && !x.reason.empty())
    line += ": " + x.reason;
  if (x.attempt > 1)
    line += " (attempt " + std::to_string(x.attempt) + ")";
  if (auto i = metrics.find("progress"); i != metrics.end()) {
    constexpr int width = 24;
    auto full = std::clamp(static_cast<int>(i->second * width + 0.5), 0, width);
    line += " [" + std::string(static_cast<size_t>(full), '#')
            + std::string(static_cast<size_t>(width - full), '.') + "]";
  }
  char number[64];
  for (auto& [key, format] :
       std::map<std::string, const char*>{{"epoch", " epoch %.0f"},
                                          {"loss", " loss %.3f"},
                                          {"accuracy", " accuracy %.3f"},
                                          {"samples_per_s", " %.0f samples/s"}})
    if (auto i = metrics.find(key); i != metrics.end()) {
      std::snprintf(number, sizeof(number), format, i->second);
      line += number;
    }
  return line;
}

std::string size_of(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

} // namespace

std::string name_of(job_state x) {
  return EnumNamejob_state(x);
}
std::string name_of(task_state x) {
  return EnumNametask_state(x);
}

std::string json_of(const job_status_msg& x) {
  return pretty(tree_of(x));
}

std::string json_of(const job_list_msg& x) {
  json list = json::array();
  for (auto& each : x.jobs)
    list.push_back(tree_of(*each));
  return pretty(list);
}

std::string json_of(const cluster_status_msg& x) {
  json nodes = json::array();
  for (auto& n : x.nodes)
    nodes.push_back({{"name", n->name},
                     {"alive", n->alive},
                     {"draining", n->draining},
                     {"reason", n->reason},
                     {"drain_from_ns", n->drain_from_ns},
                     {"drain_until_ns", n->drain_until_ns},
                     {"labels", n->labels},
                     {"tasks", n->tasks},
                     {"cpus", n->cpus},
                     {"cpus_free", n->cpus_free},
                     {"memory", n->memory},
                     {"memory_free", n->memory_free},
                     {"accelerators", n->accelerators},
                     {"accelerators_free", n->accelerators_free}});
  return pretty({{"name", x.name},
                 {"epoch", x.epoch},
                 {"pid", x.pid},
                 {"jobs_active", x.jobs_active},
                 {"nodes", nodes}});
}

void print(const job_status_msg& x) {
  std::printf("job %lu  %s  %s  attempt %u%s%s\n", x.job, x.name.c_str(), name_of(x.state).c_str(),
              x.attempt, x.reason.empty() ? "" : "  ", x.reason.c_str());
  for (auto& each : x.tasks)
    std::printf("  %s:%u  %s  on %s  log %s\n", each->type.c_str(), each->index,
                name_of(each->state).c_str(), each->node.empty() ? "-" : each->node.c_str(),
                each->log.empty() ? "-" : each->log.c_str());
}

void print_why(const job_status_msg& x) {
  if (x.ends.empty() && x.reason.empty())
    std::puts("  nothing has gone wrong, and nothing keeps it waiting");
  for (auto& each : x.ends) {
    auto seconds = static_cast<double>(each->ended_ns - each->started_ns) / 1e9;
    std::printf("  attempt %u ended after %.1f s (%s): %s\n", each->attempt, seconds,
                EnumNameexit_class(each->cause), each->reason.c_str());
    if (!each->type.empty())
      std::printf("    its output: troupe logs %lu --task %s:%u --attempt %u\n", x.job,
                  each->type.c_str(), each->index, each->attempt);
  }
  if (x.state == job_state::queued || x.state == job_state::restarting)
    std::printf("  it waits: %s\n", x.reason.c_str());
}

void print(const std::vector<job_file_key>& keys, bool as_json) {
  json list = json::array();
  for (auto& x : keys)
    if (as_json)
      list.push_back({{"key", x.name}, {"value", x.value}, {"meaning", x.meaning}});
    else
      std::printf("%-24s %-36s %s\n", x.name.c_str(), x.value.c_str(), x.meaning.c_str());
  if (as_json)
    std::puts(pretty(list).c_str());
}

void print(const job_list_msg& x) {
  if (x.jobs.empty())
    std::puts("no jobs");
  for (auto& each : x.jobs)
    std::printf("%6lu  %-12s %-24s attempt %u  %s\n", each->job, name_of(each->state).c_str(),
                each->name.c_str(), each->attempt, each->reason.c_str());
}

void print_nodes(const cluster_status_msg& x) {
  for (auto& n : x.nodes)
    std::printf(
      "%-16s %-8s cpus %u/%u free  memory %s/%s free  accelerators %u/%u free  tasks %u%s%s\n",
      n->name.c_str(),
      !n->alive     ? "lost"
      : n->draining ? "draining"
                    : "alive",
      n->cpus_free, n->cpus, size_of(n->memory_free).c_str(), size_of(n->memory).c_str(),
      n->accelerators_free, n->accelerators, n->tasks, n->reason.empty() ? "" : "  ",
      n->reason.c_str());
}

progress_bar::progress_bar() : terminal_(::isatty(STDOUT_FILENO) != 0) {}

void progress_bar::show(const job_status_msg& x) {
  auto line = line_of(x);
  if (line == shown_)
    return;
  shown_ = line;
  if (terminal_)
    std::printf("\r\x1b[K%s", line.c_str());
  else
    std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void progress_bar::say(const std::string& line) {
  if (terminal_)
    std::printf("\r\x1b[K");
  std::printf("%s\n", line.c_str());
  if (terminal_)
    std::printf("%s", shown_.c_str());
  std::fflush(stdout);
}

void progress_bar::finish() {
  if (terminal_ && !shown_.empty())
    std::printf("\n");
  shown_.clear();
}

int complain(const error& reason) {
  std::fprintf(stderr, "troupe: %s\n", reason.text.c_str());
  switch (reason.code) {
  case errc::invalid:
  case errc::not_found:
  case errc::already_exists:
    return 2;
  case errc::unavailable:
  case errc::refused:
    return 3;
  default:
    return 1;
  }
}

} // namespace troupe::launcher
