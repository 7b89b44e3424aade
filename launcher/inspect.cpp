// status, nodes, jobs, job, logs, kill, drain, lineage: one question to the master each.
#include "actors/cluster/client.hpp"
#include "actors/jobs/gang.hpp"
#include "launcher/commands.hpp"
#include "launcher/console.hpp"

#include <poll.h>

#include <cstdio>
#include <map>

namespace troupe::launcher {

namespace {

// Asks the cluster of `shared`, and prints the answer or the reason why there is none.
template <class Ask, class Show>
int answer(const shared_options& shared, Ask ask, Show show) {
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  auto got = ask(**cluster);
  if (!got)
    return complain(got.error());
  show(*got);
  return 0;
}

struct printed_log {
  std::string task;
  uint64_t offset = 0;
  bool ended = false;
};

// Prints what a task's log has grown by; false when the master cannot be asked.
result<void> print_more(client& cluster, const logs_options& options, const task_status_msg& task,
                        bool named, printed_log& log) {
  for (;;) {
    auto chunk = cluster.log(options.job, options.attempt, task.type, task.index, log.offset);
    if (!chunk)
      return chunk.error();
    if (chunk->text.empty())
      return {};
    log.offset += chunk->text.size();
    if (!named) {
      std::fwrite(chunk->text.data(), 1, chunk->text.size(), stdout);
      continue;
    }
    size_t from = 0;
    while (from < chunk->text.size()) {
      auto to = std::min(chunk->text.find('\n', from), chunk->text.size());
      std::printf("%s| %s\n", log.task.c_str(), chunk->text.substr(from, to - from).c_str());
      from = to + 1;
    }
  }
}

} // namespace

int status(const shared_options& shared) {
  return answer(
    shared, [](client& c) { return c.cluster(); },
    [&](const cluster_status_msg& x) {
      if (shared.json)
        return static_cast<void>(std::puts(json_of(x).c_str()));
      std::printf("cluster in %s: master epoch %lu, process %u, %zu nodes, %u active jobs\n",
                  shared.directory.c_str(), x.epoch, x.pid, x.nodes.size(), x.jobs_active);
      print_nodes(x);
    });
}

int nodes(const shared_options& shared) {
  return answer(
    shared, [](client& c) { return c.cluster(); },
    [&](const cluster_status_msg& x) {
      shared.json ? static_cast<void>(std::puts(json_of(x).c_str())) : print_nodes(x);
    });
}

int jobs(const shared_options& shared) {
  return answer(
    shared, [](client& c) { return c.jobs(); },
    [&](const job_list_msg& x) {
      shared.json ? static_cast<void>(std::puts(json_of(x).c_str())) : print(x);
    });
}

int job(const shared_options& shared, const job_options& options) {
  return answer(
    shared, [&](client& c) { return c.status(options.job); },
    [&](const job_status_msg& x) {
      if (shared.json)
        return static_cast<void>(std::puts(json_of(x).c_str()));
      print(x);
      if (options.why)
        print_why(x);
    });
}

int lineage(const shared_options& shared, uint64_t id) {
  return answer(
    shared, [&](client& c) { return c.lineage(id); },
    [&](const lineage_msg& x) { std::puts(shared.json ? x.json.c_str() : x.text.c_str()); });
}

int logs(const shared_options& shared, const logs_options& options) {
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  std::map<std::string, printed_log> printed;
  for (;;) {
    auto now = (*cluster)->status(options.job);
    if (!now)
      return complain(now.error());
    bool found = false;
    for (auto& each : now->tasks) {
      auto name = each->type + ":" + std::to_string(each->index);
      if (!options.task.empty() && options.task != name)
        continue;
      found = true;
      auto& log = printed[name];
      log.task = name;
      if (each->node.empty())
        continue;
      auto more
        = print_more(**cluster, options, *each, options.task.empty() && now->tasks.size() > 1, log);
      if (!more && !options.follow)
        return complain(more.error());
    }
    if (!found && !options.task.empty())
      return complain({errc::not_found, "job " + std::to_string(options.job) + " has no task '"
                                          + options.task + "'; its tasks: troupe job "
                                          + std::to_string(options.job)});
    std::fflush(stdout);
    if (!options.follow || has_ended(now->state))
      return 0;
    ::poll(nullptr, 0, 200);
  }
}

} // namespace troupe::launcher
