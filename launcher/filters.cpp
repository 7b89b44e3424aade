#include "launcher/filters.hpp"

#include "launcher/times.hpp"
#include "runtime/base/clock.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::launcher {

namespace {

result<uint64_t> since_of(const std::string& text) {
  if (text.empty())
    return 0u;
  auto since = parse_since(text, system_clock{}.wall_ns());
  if (!since)
    return since.error();
  return static_cast<uint64_t>(std::max<int64_t>(0, *since));
}

result<job_state> state_named(const std::string& text) {
  for (auto each : EnumValuesjob_state())
    if (text == EnumNamejob_state(each))
      return each;
  return {errc::invalid, std::string{"'"}.append(printable(text))
                           + "' is no state of a job: give queued, starting, running, restarting, "
                             "succeeded, failed or killed"};
}

} // namespace

result<named_task> read_task(const std::string& text) {
  named_task out;
  auto colon = text.find(':');
  out.type = text.substr(0, colon);
  if (colon == std::string::npos)
    return out;
  auto end = text.data() + text.size();
  auto read = std::from_chars(text.data() + colon + 1, end, out.index);
  if (read.ec != std::errc{} || read.ptr != end || out.index < 0) {
    auto shown = printable(text);
    return {errc::invalid, "'" + shown + "' is no task: give one such as worker:0, or a type"};
  }
  return out;
}

error no_task(uint64_t job, const std::string& task) {
  auto number = std::to_string(job);
  return {errc::not_found, "job " + number + " has no task '" + task + "'; its tasks: troupe job "
                             + number + " --attempts"};
}

result<list_jobs_msg> filter_of(const jobs_options& options) {
  list_jobs_msg out;
  for (auto& each : options.states) {
    auto state = state_named(each);
    if (!state)
      return state.error();
    out.states.push_back(*state);
  }
  auto since = since_of(options.since);
  if (!since)
    return since.error();
  out.since_ns = *since;
  out.user = options.user;
  out.queue = options.queue;
  out.tag = options.tag;
  out.limit = options.limit;
  return out;
}

result<get_usage_msg> request_of(const usage_options& options) {
  get_usage_msg out;
  auto since = since_of(options.since);
  if (!since)
    return since.error();
  out.since_ns = *since;
  if (options.by != "user" && options.by != "queue")
    return {errc::invalid, std::string{"'"}.append(printable(options.by))
                             + "' is nothing to sum up by: give user or queue"};
  out.by = options.by == "queue" ? usage_by::queue : usage_by::user;
  return out;
}

} // namespace troupe::launcher
