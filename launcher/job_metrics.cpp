#include "launcher/job_metrics.hpp"

#include "actors/jobs/gang.hpp"

#include <numeric>

namespace troupe::launcher {

namespace {

constexpr size_t series_bytes_max = 4 << 20; // of one task; its file is smaller

result<metric_series> read_series(client& cluster, read_log_msg request, const std::string& name) {
  request.file = task_file::metrics;
  auto text = cluster.whole_log(std::move(request), series_bytes_max);
  if (!text)
    return text.error();
  auto series = parse_metric_series(*text);
  if (!name.empty())
    std::erase_if(series, [&](auto& x) { return x.first != name; });
  return series;
}

size_t samples_of(const metric_series& x) {
  return std::accumulate(x.begin(), x.end(), size_t{0},
                         [](size_t sum, auto& each) { return sum + each.second.size(); });
}

} // namespace

result<attempt_series> series_of(client& cluster, uint64_t job, const job_history_msg& history,
                                 const series_filter& wanted) {
  attempt_series out;
  size_t samples = 0;
  out.attempt = wanted.attempt;
  if (out.attempt == 0 && !history.attempts.empty())
    out.attempt = history.attempts.back()->end->attempt;
  for (auto& each : history.attempts) {
    if (each->end->attempt != out.attempt)
      continue;
    for (auto& run : each->tasks) {
      auto run_name = task_name(run->type, run->index);
      if (!wanted.task.empty() && wanted.task != run_name)
        continue;
      read_log_msg request;
      request.job = job;
      request.attempt = out.attempt;
      request.type = run->type;
      request.index = run->index;
      auto series = read_series(cluster, std::move(request), wanted.name);
      if (!series)
        return series.error();
      samples += samples_of(*series);
      if (samples > wanted.samples_max)
        return {errc::invalid, "the metrics of job " + std::to_string(job) + " have more than "
                                 + std::to_string(wanted.samples_max)
                                 + " samples: ask for one task, or for one metric by its name"};
      out.tasks.push_back({run_name, std::move(*series)});
    }
  }
  return out;
}

} // namespace troupe::launcher
