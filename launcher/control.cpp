// What changes a job or a node on request: kill, hold, release, requeue, ask, drain, resume.
#include "actors/cluster/client.hpp"
#include "actors/jobs/gang.hpp"
#include "launcher/commands.hpp"
#include "launcher/filters.hpp"
#include "launcher/times.hpp"
#include "runtime/base/clock.hpp"

#include <charconv>
#include <cstdio>
#include <map>

namespace troupe::launcher {

namespace {

constexpr uint64_t jobs_max = 100'000; // of one command

// All of `text` as a number; 0: it is none.
uint64_t number_of(std::string_view text) {
  uint64_t out = 0;
  auto end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, out);
  return read.ec == std::errc{} && read.ptr == end ? out : 0;
}

// `3`, `7..9`
result<std::vector<uint64_t>> read_jobs(const std::vector<std::string>& texts) {
  std::vector<uint64_t> out;
  for (auto& text : texts) {
    auto dots = text.find("..");
    auto first = number_of(text.substr(0, dots));
    auto last = dots == std::string::npos ? first : number_of(text.substr(dots + 2));
    if (first == 0 || last < first || last - first >= jobs_max)
      return {errc::invalid, "'" + text + "' is no job: give a number, or FIRST..LAST"};
    for (auto id = first; id <= last; ++id)
      out.push_back(id);
  }
  return out;
}

// Does the same to each job, and goes on behind one that refuses.
template <class Change>
int change_jobs(const shared_options& shared, const std::vector<std::string>& texts,
                Change change) {
  auto jobs = read_jobs(texts);
  if (!jobs)
    return complain(jobs.error());
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  int code = 0;
  for (auto id : *jobs)
    if (result<void> done = change(**cluster, id); !done)
      code = complain(done.error());
  return code;
}

// What the words of the command ask for.
result<void> read_request(const ask_options& options, ask_job_msg& out) {
  static const std::map<std::string, task_request> known{{"checkpoint", task_request::checkpoint},
                                                         {"stacks", task_request::dump_stacks},
                                                         {"drain", task_request::drain},
                                                         {"log-level", task_request::log_level}};
  auto found = known.find(options.what);
  if (found == known.end())
    return {errc::invalid, "a task cannot be asked for '" + printable(options.what)
                             + "': give checkpoint, stacks, drain or log-level"};
  out.request = found->second;
  auto given = std::string{"'"}.append(printable(options.level)).append("'");
  if (out.request != task_request::log_level)
    return options.level.empty()
             ? result<void>{}
             : error{errc::invalid, given + " says nothing to " + options.what + ": leave it out"};
  for (auto each : EnumValueslog_level())
    if (options.level == EnumNamelog_level(each)) {
      out.level = each;
      return {};
    }
  return {errc::invalid, given + " is no log level: give debug, info, warning or error"};
}

result<ask_job_msg> request_of(const ask_options& options) {
  auto task = read_task(options.task);
  if (!task)
    return task.error();
  ask_job_msg out;
  out.job = options.job;
  out.type = task->type;
  out.index = task->index;
  TROUPE_TRY(read_request(options, out));
  return out;
}

} // namespace

int kill(const shared_options& shared, const change_options& options) {
  return change_jobs(shared, options.jobs, [&](client& c, uint64_t id) {
    return c.kill(id, options.reason.empty() ? "killed by its user" : options.reason);
  });
}

int hold(const shared_options& shared, const change_options& options, bool held) {
  return change_jobs(shared, options.jobs,
                     [&](client& c, uint64_t id) { return c.hold(id, held, options.reason); });
}

// The attempt that is seen now: asked twice, it is not sent back twice.
int requeue(const shared_options& shared, const change_options& options) {
  return change_jobs(shared, options.jobs, [&](client& c, uint64_t id) -> result<void> {
    auto now = c.status(id);
    if (!now)
      return now.error();
    return c.requeue(id, now->attempt, options.reason);
  });
}

int ask(const shared_options& shared, const ask_options& options) {
  auto request = request_of(options);
  if (!request)
    return complain(request.error());
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  auto asked = (*cluster)->ask_tasks(std::move(*request));
  if (!asked)
    return complain(asked.error());
  std::printf(shared.json ? "{\"tasks\": %u}\n" : "asked %u tasks\n", *asked);
  return 0;
}

int drain(const shared_options& shared, const drain_options& options) {
  drain_node_msg request;
  request.node = options.node;
  request.draining = options.draining;
  request.reason = options.reason;
  request.move = options.move;
  if (!options.at.empty()) {
    auto from = parse_time(options.at);
    if (!from)
      return complain(from.error());
    request.from_ns = *from;
  }
  if (!options.length.empty()) {
    auto length = time_of("--for", options.length);
    if (!length)
      return complain(length.error());
    auto begin = request.from_ns != 0 ? request.from_ns : system_clock{}.wall_ns();
    request.until_ns = begin + length->count();
  }
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  auto done = (*cluster)->drain(std::move(request));
  return done ? 0 : complain(done.error());
}

} // namespace troupe::launcher
