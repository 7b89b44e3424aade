// logs: what tasks printed, one task or all of them, searched, and as it grows.
#include "actors/cluster/client.hpp"
#include "actors/jobs/gang.hpp"
#include "launcher/commands.hpp"
#include "launcher/filters.hpp"
#include "launcher/json.hpp"
#include "launcher/line_filter.hpp"
#include "launcher/line_splitter.hpp"

#include <poll.h>

#include <cstdio>
#include <map>

namespace troupe::launcher {

namespace {

struct task_name_parts {
  std::string type;
  uint32_t index = 0;
};

struct printed_log {
  uint64_t offset = 0;
  line_splitter lines;
};

class log_printer {
public:
  log_printer(client& cluster, const logs_options& options, bool as_json, line_filter filter)
    : cluster_(cluster), options_(options), as_json_(as_json), filter_(std::move(filter)) {}

  // Prints what the logs of an attempt have grown by, and at its end a last line without an end.
  result<void> print(uint32_t attempt, const std::vector<task_name_parts>& tasks, bool ended) {
    result<void> all;
    for (auto& task : tasks) {
      auto name = task_name(task.type, task.index);
      if (!options_.task.empty() && options_.task != name)
        continue;
      auto prefix = options_.task.empty() && tasks.size() > 1 ? name + "| " : std::string{};
      auto print_line = [&](std::string line) {
        if (!filter_.takes(line))
          return;
        line = as_json_ ? json_of_line(attempt, name, line) : prefix + line;
        line += '\n';
        std::fwrite(line.data(), 1, line.size(), stdout);
      };
      auto& log = printed_[{attempt, name}];
      auto as_it_is = prefix.empty() && filter_.takes_all() && !as_json_;
      if (auto more = print_more(attempt, task, as_it_is, print_line, log); !more)
        all = more;
      if (ended)
        log.lines.finish(print_line);
    }
    std::fflush(stdout);
    return all;
  }

private:
  template <class Print>
  result<void> print_more(uint32_t attempt, const task_name_parts& task, bool as_it_is,
                          Print& print_line, printed_log& log) {
    for (;;) {
      read_log_msg request;
      request.job = options_.job;
      request.attempt = attempt;
      request.type = task.type;
      request.index = task.index;
      request.offset = log.offset;
      auto chunk = cluster_.log(std::move(request));
      if (!chunk)
        return chunk.error();
      if (chunk->text.empty())
        return {};
      log.offset += chunk->text.size();
      if (as_it_is)
        std::fwrite(chunk->text.data(), 1, chunk->text.size(), stdout);
      else
        log.lines.feed(chunk->text, print_line);
    }
  }

  client& cluster_;
  const logs_options& options_;
  const bool as_json_;
  line_filter filter_;
  std::map<std::pair<uint32_t, std::string>, printed_log> printed_; // by attempt and task
};

bool has(const std::vector<task_name_parts>& tasks, const std::string& name) {
  return std::ranges::any_of(tasks, [&](auto& x) { return task_name(x.type, x.index) == name; });
}

template <class Task>
std::vector<task_name_parts> names_of(const std::vector<Task>& tasks) {
  std::vector<task_name_parts> out;
  for (auto& each : tasks)
    if (!each->node.empty())
      out.push_back({each->type, each->index});
  return out;
}

result<void> print_attempt(client& cluster, const logs_options& options, log_printer& printer) {
  auto history = cluster.history(options.job);
  if (!history)
    return history.error();
  for (auto& each : history->attempts) {
    if (each->end->attempt != options.attempt)
      continue;
    auto tasks = names_of(each->tasks);
    if (!options.task.empty() && !has(tasks, options.task))
      return no_task(options.job, options.task);
    return printer.print(options.attempt, tasks, true);
  }
  return {errc::not_found, "job " + std::to_string(options.job) + " has no attempt "
                             + std::to_string(options.attempt) + "; its attempts: troupe job "
                             + std::to_string(options.job) + " --attempts"};
}

result<void> print_newest(client& cluster, const logs_options& options, log_printer& printer) {
  uint32_t attempt = 0;
  std::vector<task_name_parts> tasks;
  for (;;) {
    auto now = cluster.status(options.job);
    if (!now)
      return now.error();
    if (attempt != 0 && attempt != now->attempt) [[maybe_unused]]
      auto rest = printer.print(attempt, tasks, true); // its node may be gone
    attempt = now->attempt;
    tasks = names_of(now->tasks);
    auto ended = has_ended(now->state);
    if (!options.task.empty() && !has(tasks, options.task) && (!tasks.empty() || ended))
      return no_task(options.job, options.task);
    auto printed = printer.print(attempt, tasks, ended || !options.follow);
    if (!options.follow || ended)
      return printed;
    ::poll(nullptr, 0, 200);
  }
}

} // namespace

int logs(const shared_options& shared, const logs_options& options) {
  auto filter = line_filter::make(options.grep, options.fixed);
  if (!filter)
    return complain(filter.error());
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  log_printer printer{**cluster, options, shared.json, std::move(*filter)};
  auto done = options.attempt != 0 && !options.follow ? print_attempt(**cluster, options, printer)
                                                      : print_newest(**cluster, options, printer);
  return done ? 0 : complain(done.error());
}

} // namespace troupe::launcher
