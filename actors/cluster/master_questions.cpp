// What the master is asked: watching a job, reading its logs, speaking to its tasks.
#include "actors/cluster/master_shell.hpp"

#include <unistd.h>

namespace troupe {
namespace {

constexpr auto watch_time = std::chrono::seconds(1);

} // namespace

caf::result<job_events_msg> on_watch(master_pointer self, const watch_job_msg& x) {
  auto& st = self->state;
  if (!st.core->find(x.job))
    return self->delegate(st.reader, x);
  auto news = st.core->events_after(x.job, x.after);
  if (!news || !news->events.empty())
    return tell(self, std::move(news));
  auto promise = self->make_response_promise<job_events_msg>();
  st.watchers.push_back({x.job, x.after, self->clock().now() + watch_time, promise});
  return promise;
}

void wake_watchers(master_pointer self, uint64_t job) {
  auto& st = self->state;
  std::erase_if(st.watchers, [&](watcher& each) {
    if (each.job != job)
      return false;
    auto news = st.core->events_after(each.job, each.after);
    if (!news || news->events.empty())
      return false;
    tell(self, each.answer, std::move(news));
    return true;
  });
}

void wake_late_watchers(master_pointer self) {
  auto& st = self->state;
  auto now = self->clock().now();
  std::erase_if(st.watchers, [&](watcher& each) {
    if (each.due > now)
      return false;
    tell(self, each.answer, st.core->events_after(each.job, each.after));
    return true;
  });
}

namespace {

result<agent_api> agent_named(const master_state& st, const std::string& node) {
  auto agent = st.agents.find(node);
  if (agent == st.agents.end())
    return {errc::unavailable, "node '" + node + "', which has the task, is not connected"};
  return agent->second;
}

// The agent of a job's task.
result<agent_api> agent_of(const master_state& st, uint64_t id, const std::string& type,
                           uint32_t index) {
  auto* job = st.core->find(id);
  if (!job)
    return no_job(id);
  for (auto& task : job->tasks())
    if (job->type_of(task).name == type && task.index == index)
      return agent_named(st, task.node);
  return {errc::not_found, "job " + std::to_string(id) + " has no task '" + task_name(type, index)
                             + "'; see its tasks with: troupe job " + std::to_string(id)};
}

} // namespace

caf::result<log_chunk_msg> on_read_log(master_pointer self, const read_log_msg& x) {
  auto& st = self->state;
  auto* job = st.core->find(x.job);
  if (!job || (x.attempt != 0 && x.attempt != job->attempt()))
    return read_old_log(self, x);
  auto agent = agent_of(st, x.job, x.type, x.index);
  if (!agent)
    return fail(agent.error());
  auto forwarded = x;
  forwarded.attempt = job->attempt();
  return self->delegate(*agent, std::move(forwarded));
}

caf::result<exec_started_msg> on_exec(master_pointer self, const exec_task_msg& x) {
  auto agent = agent_of(self->state, x.job, x.type, x.index);
  if (!agent)
    return fail(agent.error());
  return self->delegate(*agent, x);
}

caf::result<exec_news_msg> on_exec_io(master_pointer self, const exec_io_msg& x) {
  auto agent = agent_named(self->state, x.node);
  if (!agent)
    return fail(agent.error());
  return self->delegate(*agent, x);
}

// Asks the tasks that are meant, and counts those whose agents took it.
caf::result<job_asked_msg> on_ask(master_pointer self, const ask_job_msg& x) {
  auto& st = self->state;
  auto* job = st.core->find(x.job);
  if (!job)
    return fail(no_job(x.job));
  if (x.request > task_request::MAX || x.level > log_level::MAX)
    return fail(errc::invalid, "the tasks are asked for something unknown: update this cluster");
  struct answers {
    job_asked_msg told;
    size_t left = 0;
    error last;
  };
  auto seen = std::make_shared<answers>();
  auto promise = self->make_response_promise<job_asked_msg>();
  auto count = [seen, promise](const error* why) mutable {
    seen->told.tasks += why ? 0 : 1;
    if (why)
      seen->last = *why;
    if (--seen->left != 0)
      return;
    if (seen->told.tasks != 0)
      promise.deliver(seen->told);
    else
      promise.deliver(fail(seen->last));
  };
  for (auto& task : job->tasks()) {
    auto agent = st.agents.find(task.node);
    auto meant = (x.type.empty() || job->type_of(task).name == x.type)
                 && (x.index < 0 || static_cast<uint32_t>(x.index) == task.index);
    if (!meant || task.ended || agent == st.agents.end())
      continue;
    ++seen->left;
    ask_task_msg order;
    order.task = std::make_unique<task_id_msg>(job->id_of(task));
    order.request = x.request;
    order.level = x.level;
    self->request(agent->second, order_deadline, std::move(order))
      .then([count](const done_msg&) mutable { count(nullptr); },
            [count](const caf::error& e) mutable {
              auto why = reason_of(e);
              count(&why);
            });
  }
  if (seen->left == 0)
    promise.deliver(fail(errc::invalid, "job " + std::to_string(x.job)
                                          + " has no such task that runs; see its tasks with: "
                                            "troupe job "
                                          + std::to_string(x.job)));
  return promise;
}

cluster_status_msg status_of(const master_state& st, const get_cluster_msg& x) {
  auto status = st.core->status(x);
  status.pid = static_cast<uint32_t>(::getpid());
  return status;
}

} // namespace troupe
