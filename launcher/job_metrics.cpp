#include "launcher/job_metrics.hpp"

#include "actors/jobs/gang.hpp"

namespace troupe::launcher {

namespace {

constexpr size_t series_bytes_max = 4 << 20; // of one task; its file is smaller

} // namespace

result<attempt_series> series_of(client& cluster, uint64_t job, uint32_t attempt,
                                 const job_history_msg& history, const std::string& task,
                                 const std::string& name) {
  attempt_series out;
  out.attempt = attempt;
  if (attempt == 0 && !history.attempts.empty())
    out.attempt = history.attempts.back()->end->attempt;
  for (auto& each : history.attempts) {
    if (each->end->attempt != out.attempt)
      continue;
    for (auto& run : each->tasks) {
      auto run_name = task_name(run->type, run->index);
      if (!task.empty() && task != run_name)
        continue;
      read_log_msg request;
      request.job = job;
      request.attempt = out.attempt;
      request.type = run->type;
      request.index = run->index;
      request.file = task_file::metrics;
      auto text = cluster.whole_log(std::move(request), series_bytes_max);
      if (!text)
        return text.error();
      auto series = parse_metric_series(*text);
      if (!name.empty())
        std::erase_if(series, [&](auto& x) { return x.first != name; });
      out.tasks.push_back({run_name, std::move(series)});
    }
  }
  return out;
}

} // namespace troupe::launcher
