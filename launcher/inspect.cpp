// status, nodes, jobs, job, metrics, usage: questions to the master.
#include "actors/cluster/client.hpp"
#include "launcher/commands.hpp"
#include "launcher/console.hpp"
#include "launcher/filters.hpp"
#include "launcher/job_metrics.hpp"
#include "launcher/submission.hpp"

#include <unistd.h>

#include <cstdio>

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
      shared.json ? static_cast<void>(std::puts(json_of_nodes(x).c_str())) : print_nodes(x);
    });
}

int jobs(const shared_options& shared, const jobs_options& options) {
  auto filter = filter_of(options);
  if (!filter)
    return complain(filter.error());
  if (!filter->user.empty())
    filter->user = user_number(filter->user);
  return answer(
    shared, [&](client& c) { return c.jobs(std::move(*filter)); },
    [&](const job_list_msg& x) {
      if (shared.json)
        return static_cast<void>(std::puts(json_of(x).c_str()));
      print(x);
      if (x.more)
        std::printf("and older ones: see more with --limit\n");
    });
}

int usage(const shared_options& shared, const usage_options& options) {
  auto request = request_of(options);
  if (!request)
    return complain(request.error());
  return answer(
    shared, [&](client& c) { return c.usage(std::move(*request)); },
    [&](const usage_msg& x) {
      if (shared.json)
        return static_cast<void>(std::puts(json_of(x).c_str()));
      auto named = x;
      for (auto& each : named.rows)
        each->name = options.by == "user" ? user_name(each->name) : each->name;
      print(named);
    });
}

namespace {

int config(const shared_options& shared, uint64_t id) {
  return answer(
    shared, [&](client& c) { return c.history(id); },
    [](const job_history_msg& x) { std::puts(json_of_config(*x.spec).c_str()); });
}

int attempts(const shared_options& shared, uint64_t id) {
  return answer(
    shared, [&](client& c) { return c.history(id); },
    [&](const job_history_msg& x) {
      shared.json ? static_cast<void>(std::puts(json_of(x).c_str())) : print_attempts(id, x);
    });
}

int follow_job(const shared_options& shared, uint64_t id) {
  auto cluster = client::connect(shared.directory);
  return cluster ? follow(**cluster, shared, {id, 0, false}) : complain(cluster.error());
}

} // namespace

int job(const shared_options& shared, const job_options& options) {
  if (options.config)
    return config(shared, options.job);
  if (options.attempts)
    return attempts(shared, options.job);
  if (options.follow)
    return follow_job(shared, options.job);
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

int metrics(const shared_options& shared, const metrics_options& options) {
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  auto history = (*cluster)->history(options.job);
  if (!history)
    return complain(history.error());
  auto wanted
    = series_of(**cluster, options.job, *history, {options.attempt, options.task, options.name});
  if (!wanted)
    return complain(wanted.error());
  if (!options.task.empty() && wanted->tasks.empty())
    return complain(no_task(options.job, options.task));
  if (shared.json)
    std::puts(json_of(options.job, wanted->attempt, wanted->tasks).c_str());
  else
    print(wanted->tasks, ::isatty(STDOUT_FILENO) != 0);
  return 0;
}

} // namespace troupe::launcher
