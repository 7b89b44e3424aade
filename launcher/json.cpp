#include "launcher/json.hpp"

#include "actors/jobs/gang.hpp"
#include "launcher/console.hpp"

#include <nlohmann/json.hpp>

namespace troupe::launcher {

namespace {

using json = nlohmann::json;

// A path or a reason may be no UTF-8, which JSON has to be.
std::string pretty(const json& x) {
  return x.dump(2, ' ', false, json::error_handler_t::replace);
}

// What was killed on request did not fail: it has no class.
json tree_of(const attempt_end_msg& x, bool failed) {
  return {{"attempt", x.attempt},   {"started_ns", x.started_ns},
          {"ended_ns", x.ended_ns}, {"cause", failed ? EnumNameexit_class(x.cause) : ""},
          {"reason", x.reason},     {"task", x.type.empty() ? "" : task_name(x.type, x.index)}};
}

json tree_of(const job_status_msg& x) {
  json tasks = json::array();
  for (auto& each : x.tasks) {
    json progress = json::object();
    for (auto& metric : each->progress)
      progress[metric->name] = {{"value", metric->value}, {"step", metric->step}};
    tasks.push_back({{"task", task_name(each->type, each->index)},
                     {"node", each->node},
                     {"state", name_of(each->state)},
                     {"exit_code", each->exit_code},
                     {"log", each->log},
                     {"ui", ui_path(x.job, *each)},
                     {"progress", progress}});
  }
  json ends = json::array();
  for (auto& each : x.ends)
    ends.push_back(tree_of(*each, x.state != job_state::killed || each != x.ends.back()));
  return {{"job", x.job},
          {"name", x.name},
          {"user", x.user},
          {"state", name_of(x.state)},
          {"held", x.held},
          {"queue", x.queue},
          {"priority", EnumNamepriority_class(x.priority)},
          {"tags", x.tags},
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

json nodes_of(const cluster_status_msg& x) {
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
  return nodes;
}

json tree_of(const task_run_msg& x) {
  return {{"task", task_name(x.type, x.index)},
          {"node", x.node},
          {"state", name_of(x.state)},
          {"exit_code", x.exit_code},
          {"reason", x.reason},
          {"cause", x.state == task_state::failed ? EnumNameexit_class(x.cause) : ""},
          {"started_ns", x.started_ns},
          {"ended_ns", x.ended_ns},
          {"log", x.log}};
}

json tree_of(const std::string& name, const std::vector<metric_sample>& samples) {
  auto all = summary_of(samples);
  json list = json::array();
  for (auto& each : samples)
    list.push_back({each.time_ns, each.value, each.step});
  return {{"name", name},     {"newest", all.newest}, {"min", all.min},
          {"mean", all.mean}, {"max", all.max},       {"samples", list}};
}

} // namespace

std::string ui_path(uint64_t job, const task_status_msg& x) {
  if (x.ui_port == 0 || x.state != task_state::running)
    return {};
  return "/proxy/" + std::to_string(job) + "/" + task_name(x.type, x.index) + "/";
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

std::string json_of(const job_events_msg& x) {
  json list = json::array();
  for (auto& each : x.events)
    list.push_back({{"sequence", each->sequence},
                    {"time_ns", each->time_ns},
                    {"state", name_of(each->state)},
                    {"text", each->text}});
  return pretty(list);
}

std::string json_of(const cluster_status_msg& x) {
  return pretty({{"name", x.name},
                 {"epoch", x.epoch},
                 {"pid", x.pid},
                 {"jobs_active", x.jobs_active},
                 {"nodes", nodes_of(x)}});
}

std::string json_of_nodes(const cluster_status_msg& x) {
  return pretty(nodes_of(x));
}

std::string json_of(const job_history_msg& x) {
  json list = json::array();
  for (auto& each : x.attempts) {
    auto failed = each->state == job_state::failed || each->state == job_state::restarting;
    auto attempt = tree_of(*each->end, failed);
    attempt["state"] = name_of(each->state);
    attempt["tasks"] = json::array();
    for (auto& task : each->tasks)
      attempt["tasks"].push_back(tree_of(*task));
    list.push_back(std::move(attempt));
  }
  return pretty(list);
}

// As the schema has it: a value that is left out is its default.
std::string json_of_config(const job_spec_msg& x) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(job_spec::Pack(builder, &x));
  flatbuffers::ToStringVisitor text{" ", true, "", true};
  flatbuffers::IterateFlatBuffer(builder.GetBufferPointer(), job_spec::MiniReflectTypeTable(),
                                 &text);
  auto tree = json::parse(text.s, nullptr, false);
  return pretty(tree.is_discarded() ? json{{"text", text.s}} : tree);
}

std::string json_of(const usage_msg& x) {
  json rows = json::array();
  for (auto& each : x.rows)
    rows.push_back({{"name", each->name},
                    {"jobs", each->jobs},
                    {"tasks", each->tasks},
                    {"task_seconds", each->task_s},
                    {"cpu_seconds", each->cpu_s},
                    {"memory_byte_seconds", each->memory_byte_s},
                    {"accelerator_seconds", each->accelerator_s}});
  return pretty({{"since_ns", x.since_ns}, {"usage", rows}});
}

std::string json_of(const log_chunk_msg& x) {
  return pretty({{"attempt", x.attempt},
                 {"offset", x.offset},
                 {"next", x.offset + x.text.size()},
                 {"size", x.size},
                 {"end", x.end},
                 {"text", x.text}});
}

std::string json_of_line(uint32_t attempt, const std::string& task, const std::string& text) {
  return json{{"attempt", attempt}, {"task", task}, {"text", text}}.dump(
    -1, ' ', false, json::error_handler_t::replace);
}

std::string json_of(uint64_t job, uint32_t attempt, const std::vector<task_series>& tasks) {
  json list = json::array();
  for (auto& each : tasks) {
    json metrics = json::array();
    for (auto& [name, samples] : each.metrics)
      metrics.push_back(tree_of(name, samples));
    list.push_back({{"task", each.task}, {"metrics", metrics}});
  }
  return pretty({{"job", job}, {"attempt", attempt}, {"tasks", list}});
}

std::string json_of(const std::vector<job_file_key>& keys) {
  json list = json::array();
  for (auto& x : keys)
    list.push_back({{"key", x.name}, {"value", x.value}, {"meaning", x.meaning}});
  return pretty(list);
}

std::string json_of(const error& x) {
  return pretty({{"error", x.text}});
}

} // namespace troupe::launcher
