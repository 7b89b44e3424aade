#include "launcher/console.hpp"

#include "launcher/commands.hpp"
#include "launcher/times.hpp"

#include <pwd.h>

#include <charconv>
#include <cstdio>

namespace troupe::launcher {

namespace {

std::string size_of(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (auto& each : words)
    out.append(out.empty() ? "" : ", ").append(each);
  return out;
}

// Asks the system for a user, by `ask(entry, buffer, size, found)`; empty: it has none, or is not
// to be asked.
template <class Ask, class Read>
std::string of_user(Ask ask, Read read) {
  std::vector<char> buffer(1 << 14);
  passwd entry{};
  passwd* found = nullptr;
  ask(&entry, buffer.data(), buffer.size(), &found);
  return found ? read(*found) : std::string{};
}

} // namespace

std::string user_name(const std::string& number) {
  uid_t id = 0;
  auto* end = number.data() + number.size();
  auto read = std::from_chars(number.data(), end, id);
  if (read.ec != std::errc{} || read.ptr != end)
    return number;
  auto name = of_user([&](auto... into) { return ::getpwuid_r(id, into...); },
                      [](const passwd& x) { return std::string{x.pw_name}; });
  return name.empty() ? number : name;
}

std::string user_number(const std::string& name) {
  auto number = of_user([&](auto... into) { return ::getpwnam_r(name.c_str(), into...); },
                        [](const passwd& x) { return std::to_string(x.pw_uid); });
  return number.empty() ? name : number;
}

std::string name_of(job_state x) {
  return EnumNamejob_state(x);
}
std::string name_of(task_state x) {
  return EnumNametask_state(x);
}

std::string jobs_text(uint64_t first, uint32_t count) {
  auto text = (count > 1 ? "jobs " : "job ") + std::to_string(first);
  return count > 1 ? text + " to " + std::to_string(first + count - 1) : text;
}

void print(const job_status_msg& x) {
  std::printf("job %lu  %s  %s  attempt %u%s%s\n", x.job, x.name.c_str(), name_of(x.state).c_str(),
              x.attempt, x.reason.empty() ? "" : "  ", x.reason.c_str());
  std::printf("  user %s  queue %s  priority %s%s\n", user_name(x.user).c_str(),
              x.queue.empty() ? "-" : x.queue.c_str(), EnumNamepriority_class(x.priority),
              x.held ? "  held" : "");
  std::printf("  submitted %s  started %s  ended %s\n", text_of_wall(x.submitted_ns).c_str(),
              text_of_wall(x.started_ns).c_str(), text_of_wall(x.ended_ns).c_str());
  if (!x.tags.empty())
    std::printf("  tags: %s\n", joined(x.tags).c_str());
  for (auto& each : x.tasks) {
    auto ui = ui_path(x.job, *each);
    std::printf("  %s:%u  %s  on %s  log %s%s%s\n", each->type.c_str(), each->index,
                name_of(each->state).c_str(), each->node.empty() ? "-" : each->node.c_str(),
                each->log.empty() ? "-" : each->log.c_str(), ui.empty() ? "" : "  ui ", ui.c_str());
  }
}

void print_why(const job_status_msg& x) {
  if (x.ends.empty() && x.reason.empty())
    std::puts("  nothing has gone wrong, and nothing keeps it waiting");
  auto goes_on = x.state == job_state::running || x.state == job_state::succeeded;
  if (goes_on && !x.reason.empty())
    std::printf("  %s\n", x.reason.c_str());
  for (auto& each : x.ends) {
    auto seconds = static_cast<double>(each->ended_ns - each->started_ns) / 1e9;
    std::string cause = " (" + std::string{EnumNameexit_class(each->cause)} + ")";
    if (x.state == job_state::killed && each == x.ends.back())
      cause.clear(); // it did not fail
    std::printf("  attempt %u ended after %.1f s%s: %s\n", each->attempt, seconds, cause.c_str(),
                each->reason.c_str());
    if (!each->type.empty())
      std::printf("    its output: troupe logs %lu --task %s:%u --attempt %u\n", x.job,
                  each->type.c_str(), each->index, each->attempt);
  }
  if (x.state == job_state::queued || x.state == job_state::restarting)
    std::printf("  it waits: %s\n", x.reason.c_str());
}

void print(const std::vector<job_file_key>& keys) {
  for (auto& x : keys)
    std::printf("%-28s %-36s %s\n", x.name.c_str(), x.value.c_str(), x.meaning.c_str());
}

void print(const job_list_msg& x) {
  if (x.jobs.empty())
    std::puts("no jobs");
  for (auto& each : x.jobs)
    std::printf("%6lu  %-10s %-20s %-8s %-19s attempt %u  %s\n", each->job,
                name_of(each->state).c_str(), each->name.c_str(), user_name(each->user).c_str(),
                text_of_wall(each->submitted_ns).c_str(), each->attempt, each->reason.c_str());
}

void print_nodes(const cluster_status_msg& x) {
  for (auto& n : x.nodes) {
    auto more = n->reason.empty() ? std::string{} : "  " + n->reason;
    if (n->drain_from_ns != 0)
      more += "  from " + text_of_wall(n->drain_from_ns);
    if (n->drain_until_ns != 0)
      more += "  until " + text_of_wall(n->drain_until_ns);
    if (!n->labels.empty())
      more += "  labels " + joined(n->labels);
    std::printf(
      "%-16s %-8s cpus %u/%u free  memory %s/%s free  accelerators %u/%u free  tasks %u%s\n",
      n->name.c_str(),
      !n->alive     ? "lost"
      : n->draining ? "draining"
                    : "alive",
      n->cpus_free, n->cpus, size_of(n->memory_free).c_str(), size_of(n->memory).c_str(),
      n->accelerators_free, n->accelerators, n->tasks, more.c_str());
  }
}

void print(const usage_msg& x) {
  std::printf("%-20s %8s %8s %14s %14s %18s %16s\n", "", "jobs", "tasks", "task hours", "cpu hours",
              "memory GiB hours", "accelerator hours");
  constexpr double hour = 3600;
  for (auto& each : x.rows)
    std::printf("%-20s %8lu %8lu %14.3f %14.3f %18.3f %16.3f\n",
                each->name.empty() ? "-" : each->name.c_str(), each->jobs, each->tasks,
                each->task_s / hour, each->cpu_s / hour, each->memory_byte_s / hour / (1 << 30),
                each->accelerator_s / hour);
}

void print_attempts(uint64_t job, const job_history_msg& x) {
  for (auto& each : x.attempts) {
    auto& end = *each->end;
    std::printf("  attempt %u  %s%s%s\n", end.attempt, name_of(each->state).c_str(),
                end.reason.empty() ? "" : "  ", end.reason.c_str());
    for (auto& task : each->tasks)
      std::printf("    %s:%u  %s  on %s  exit code %d  troupe logs %lu --task %s:%u --attempt %u\n",
                  task->type.c_str(), task->index, name_of(task->state).c_str(), task->node.c_str(),
                  task->exit_code, job, task->type.c_str(), task->index, end.attempt);
  }
}

void print(const std::vector<task_series>& tasks, bool terminal) {
  constexpr size_t width = 32;
  for (auto& each : tasks) {
    std::printf("%s\n  %-24s %12s %12s %12s %12s %10s\n", each.task.c_str(), "metric", "newest",
                "min", "mean", "max", "step");
    for (auto& [name, samples] : each.metrics) {
      auto all = summary_of(samples);
      std::printf("  %-24s %12.6g %12.6g %12.6g %12.6g %10lu  %s\n", name.c_str(), all.newest,
                  all.min, all.mean, all.max, samples.back().step,
                  terminal ? sparkline_of(samples, width).c_str() : "");
    }
  }
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
