#include "launcher/http_api.hpp"

#include "launcher/filters.hpp"
#include "launcher/http_answers.hpp"
#include "launcher/http_log.hpp"
#include "launcher/job_metrics.hpp"
#include "launcher/json.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace troupe::launcher {

namespace {

using query_map = std::map<std::string, std::string>;

// What is asked: the parts of the path that stand for something, and the query.
struct question {
  std::vector<std::string> names;
  query_map query;

  std::string text(const std::string& name) const {
    auto found = query.find(name);
    return found == query.end() ? std::string{} : found->second;
  }

  result<uint64_t> number(const std::string& name, uint64_t otherwise, uint64_t max,
                          uint64_t min = 0) const {
    auto found = query.find(name);
    if (found == query.end())
      return otherwise;
    uint64_t out = 0;
    auto& given = found->second;
    auto read = std::from_chars(given.data(), given.data() + given.size(), out);
    if (read.ec != std::errc{} || read.ptr != given.data() + given.size() || out > max || out < min)
      return {errc::invalid, std::string{"'"}.append(printable(given)) + "' is no " + name
                               + ": give a number from " + std::to_string(min) + " to "
                               + std::to_string(max)};
    return out;
  }

  result<bool> flag(const std::string& name) const {
    auto given = text(name);
    if (given.empty() || given == "true" || given == "false")
      return given == "true";
    return {errc::invalid,
            std::string{"'"}.append(printable(given)) + "' is no " + name + ": give true or false"};
  }
};

constexpr uint64_t any_number = std::numeric_limits<int64_t>::max();
constexpr size_t samples_max = 100'000; // of one answer: about 10 MB
constexpr uint64_t attempts_max = std::numeric_limits<uint32_t>::max();

using document = result<std::string>;

document as_json(const auto& x) {
  return x ? document{json_of(*x)} : document{x.error()};
}

document cluster_of(client& c, const question&) {
  return as_json(c.cluster());
}

document nodes_of(client& c, const question&) {
  auto known = c.cluster();
  return known ? document{json_of_nodes(*known)} : document{known.error()};
}

document jobs_of(client& c, const question& x) {
  jobs_options options;
  auto states = x.text("state");
  for (size_t at = 0; at < states.size();) {
    auto end = std::min(states.find(',', at), states.size());
    options.states.push_back(states.substr(at, end - at));
    at = end + 1;
  }
  options.user = x.text("user");
  options.queue = x.text("queue");
  options.tag = x.text("tag");
  options.since = x.text("since");
  auto limit = x.number("limit", options.limit, 1000, 1);
  auto before = x.number("before", 0, any_number);
  if (!limit || !before)
    return limit ? before.error() : limit.error();
  options.limit = static_cast<uint32_t>(*limit);
  auto filter = filter_of(options);
  if (!filter)
    return filter.error();
  filter->before = *before;
  return as_json(c.jobs(std::move(*filter)));
}

document usage_of(client& c, const question& x) {
  usage_options options;
  if (x.query.contains("by"))
    options.by = x.text("by");
  options.since = x.text("since");
  auto request = request_of(options);
  return request ? as_json(c.usage(std::move(*request))) : document{request.error()};
}

document job_of(client& c, const question& x) {
  auto id = job_named(x.names[0]);
  return id ? as_json(c.status(*id)) : document{id.error()};
}

document attempts_of(client& c, const question& x) {
  auto id = job_named(x.names[0]);
  return id ? as_json(c.history(*id)) : document{id.error()};
}

document config_of(client& c, const question& x) {
  auto id = job_named(x.names[0]);
  if (!id)
    return id.error();
  auto known = c.history(*id);
  return known ? document{json_of_config(*known->spec)} : document{known.error()};
}

document events_of(client& c, const question& x) {
  auto id = job_named(x.names[0]);
  auto after = x.number("after", 0, any_number);
  if (!id || !after)
    return id ? after.error() : id.error();
  return as_json(c.watch(*id, *after));
}

document metrics_of(client& c, const question& x) {
  auto id = job_named(x.names[0]);
  auto attempt = x.number("attempt", 0, attempts_max);
  if (!id || !attempt)
    return id ? attempt.error() : id.error();
  auto history = c.history(*id);
  if (!history)
    return history.error();
  auto task = x.text("task");
  auto series = series_of(c, *id, *history,
                          {static_cast<uint32_t>(*attempt), task, x.text("name"), samples_max});
  if (!series)
    return series.error();
  if (!task.empty() && series->tasks.empty())
    return {errc::not_found, "job " + std::to_string(*id) + " has no task '" + printable(task)
                               + "'; its tasks are at /api/v1/jobs/" + std::to_string(*id)};
  return json_of(*id, series->attempt, series->tasks);
}

document lineage_of(client& c, const question& x) {
  auto id = job_named(x.names[0]);
  if (!id)
    return id.error();
  auto known = c.lineage(*id);
  return known ? document{known->json} : document{known.error()};
}

result<read_log_msg> log_request(const question& x) {
  auto id = job_named(x.names[0]);
  auto task = read_task(x.names[1]);
  if (!id || !task)
    return id ? task.error() : id.error();
  if (task->index < 0)
    return {errc::not_found, "the log is that of one task: name it as in worker:0"};
  auto attempt = x.number("attempt", 0, attempts_max);
  auto offset = x.number("offset", 0, any_number);
  if (!attempt || !offset)
    return attempt ? offset.error() : attempt.error();
  read_log_msg out;
  out.job = *id;
  out.type = task->type;
  out.index = static_cast<uint32_t>(task->index);
  out.attempt = static_cast<uint32_t>(*attempt);
  out.offset = *offset;
  return out;
}

document log_of(client& c, const question& x) {
  auto request = log_request(x);
  auto limit = x.number("limit", log_piece_max, log_piece_max);
  if (!request || !limit)
    return request ? limit.error() : request.error();
  return as_json(log_piece(c, *request, *limit));
}

// Writes the answer itself.
void stream_log(client_pool& clients, const question& x, http_exchange& to) {
  auto request = log_request(x);
  auto follow = x.flag("follow");
  if (!request || !follow)
    return answer_error(to, request ? follow.error() : request.error());
  send_log(clients, std::move(*request), x.text("grep"), *follow, to);
}

struct route {
  std::string_view path;
  std::vector<std::string_view> parameters;
  document (*ask)(client&, const question&);
  void (*stream)(client_pool&, const question&, http_exchange&) = nullptr;
};

constexpr std::string_view health_path = "/api/v1/health";
constexpr std::string_view openapi_path = "/openapi.json";

const std::vector<route>& routes() {
  static const std::vector<route> all{
    {health_path, {}, nullptr},
    {openapi_path, {}, nullptr},
    {"/api/v1/cluster", {}, cluster_of},
    {"/api/v1/nodes", {}, nodes_of},
    {"/api/v1/jobs", {"state", "user", "queue", "tag", "since", "limit", "before"}, jobs_of},
    {"/api/v1/jobs/{job}", {}, job_of},
    {"/api/v1/jobs/{job}/attempts", {}, attempts_of},
    {"/api/v1/jobs/{job}/config", {}, config_of},
    {"/api/v1/jobs/{job}/events", {"after"}, events_of},
    {"/api/v1/jobs/{job}/lineage", {}, lineage_of},
    {"/api/v1/jobs/{job}/metrics", {"task", "name", "attempt"}, metrics_of},
    {"/api/v1/jobs/{job}/tasks/{task}/log", {"attempt", "offset", "limit"}, log_of},
    {"/api/v1/jobs/{job}/tasks/{task}/log/stream",
     {"attempt", "offset", "grep", "follow"},
     nullptr,
     stream_log},
    {"/api/v1/usage", {"by", "since"}, usage_of},
  };
  return all;
}

// The parts that stand for something, if the path is one of the route.
std::optional<std::vector<std::string>> match(const route& x,
                                              const std::vector<std::string>& parts) {
  std::vector<std::string> names;
  std::string_view rest = x.path;
  for (auto& part : parts) {
    if (rest.empty())
      return {};
    rest.remove_prefix(1);
    auto wanted = rest.substr(0, rest.find('/'));
    rest.remove_prefix(wanted.size());
    if (wanted.starts_with('{') && !part.empty())
      names.push_back(part);
    else if (wanted != part)
      return {};
  }
  return rest.empty() ? std::optional{names} : std::nullopt;
}

result<void> check(const route& x, const query_map& query) {
  for (auto& [name, value] : query)
    if (std::ranges::find(x.parameters, name) == x.parameters.end())
      return {errc::invalid,
              std::string{x.path}
                .append(" has no parameter '")
                .append(printable(name) + "'; /openapi.json names those that it has")};
  return {};
}

// Holds a client no longer than the master takes, however slow the reader is.
document ask(const route& found, client_pool& clients, const question& asked) {
  auto cluster = clients.borrow();
  return cluster ? found.ask(**cluster, asked) : document{cluster.error()};
}

void answer_route(const route& found, client_pool& clients, const question& asked,
                  http_exchange& x) {
  if (found.path == openapi_path)
    return answer_json(x, openapi_text());
  if (found.path == health_path)
    return answer_json(x, R"({"status": "ok"})");
  if (found.stream)
    return found.stream(clients, asked, x);
  auto told = ask(found, clients, asked);
  if (!told)
    return answer_error(x, told.error());
  answer_json(x, *told);
}

} // namespace

std::vector<api_path> api_paths() {
  std::vector<api_path> out;
  for (auto& each : routes())
    out.push_back({each.path, each.parameters});
  return out;
}

void http_api::answer(http_exchange& x) const {
  auto& request = x.request();
  auto is_open = request.path == health_path || request.path == openapi_path;
  if (!is_open && !has_token(request, token_))
    return ask_for_token(x);
  if (request.method != "GET" && request.method != "HEAD")
    return answer_error(x, 405, "this is to be read only: ask with GET", {{"allow", "GET, HEAD"}});
  auto parts = parts_of(request.path);
  auto query = parse_query(request.query);
  if (!parts || !query)
    return answer_error(x, parts ? query.error() : parts.error());
  for (auto& each : routes()) {
    auto names = match(each, *parts);
    if (!names)
      continue;
    if (auto right = check(each, *query); !right)
      return answer_error(x, right.error());
    return answer_route(each, clients_, {std::move(*names), std::move(*query)}, x);
  }
  answer_error(x, 404, "there is nothing at this path; /openapi.json names all paths");
}

} // namespace troupe::launcher
