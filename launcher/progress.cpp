#include "launcher/progress.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::launcher {
namespace {

using namespace std::chrono_literals;

constexpr auto seen_min = 3s; // before an end is estimated
constexpr double done_min = 0.005;

std::optional<double> metric_of(const task_status_msg& x, const std::string& name) {
  for (auto& each : x.progress)
    if (each->name == name && std::isfinite(each->value))
      return each->value;
  return {};
}

// What the task itself says.
std::optional<double> told_by(const task_status_msg& x) {
  if (auto told = metric_of(x, "progress"))
    return std::clamp(*told, 0.0, 1.0);
  for (auto [at, of] : {std::pair{"epoch", "epochs"}, std::pair{"step", "steps"}}) {
    auto now = metric_of(x, at);
    auto all = metric_of(x, of);
    if (now && all && *all > 0)
      return std::clamp(*now / *all, 0.0, 1.0);
  }
  return {};
}

} // namespace

std::vector<role_progress> roles_of(const job_status_msg& x) {
  std::vector<role_progress> out;
  std::map<std::string, double> sums;
  for (auto& task : x.tasks) {
    auto found = std::ranges::find(out, task->type, &role_progress::type);
    if (found == out.end()) {
      out.push_back({task->type, {}, {}});
      found = std::prev(out.end());
    }
    ++found->tasks[task->state];
    auto told = task->state == task_state::succeeded ? 1.0 : told_by(*task);
    if (!told)
      continue; // it counts as nothing done, once another one tells
    sums[task->type] += *told;
    found->done = 0;
  }
  for (auto& role : out) {
    uint32_t count = 0;
    for (auto& [state, number] : role.tasks)
      count += number;
    if (role.done)
      role.done = sums[role.type] / count;
  }
  return out;
}

std::optional<duration> progress_estimate::left(const role_progress& role, uint32_t attempt,
                                                time_point now) {
  if (!role.done) {
    begun_.erase(role.type);
    return {};
  }
  auto [found, first] = begun_.try_emplace(role.type, beginning{attempt, *role.done, now});
  auto& begun = found->second;
  if (first || begun.attempt != attempt || *role.done < begun.done) {
    begun = {attempt, *role.done, now};
    return {};
  }
  auto seen = now - begun.at;
  auto gained = *role.done - begun.done;
  if (*role.done >= 1.0)
    return duration{};
  if (seen < seen_min || gained < done_min)
    return {};
  auto seconds = std::chrono::duration<double>(seen).count() * (1.0 - *role.done) / gained;
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

std::string text_of_time(duration x) {
  auto seconds = std::chrono::round<std::chrono::seconds>(x).count();
  if (seconds < 100)
    return std::to_string(seconds) + " s";
  if (seconds < 100 * 60)
    return std::to_string((seconds + 30) / 60) + " min";
  return std::to_string((seconds + 1800) / 3600) + " h";
}

std::map<std::string, double> gang_metrics(const job_status_msg& x) {
  std::map<std::string, double> found;
  for (auto& task : x.tasks)
    for (auto& metric : task->progress)
      found.emplace(metric->name, metric->value);
  return found;
}

} // namespace troupe::launcher
