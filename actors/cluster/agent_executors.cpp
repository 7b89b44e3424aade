// The agent and the executors of its node.
#include "actors/cluster/agent_shell.hpp"

#include <algorithm>

namespace troupe {
namespace {

// The cluster specification names the whole gang: only a task that waits for it gets it.
executor_orders_msg orders_for(const executor_state& x, bool waits = true) {
  executor_orders_msg orders;
  if (x.spec && waits)
    orders.spec = std::make_unique<cluster_spec_msg>(*x.spec);
  orders.stop = x.stop;
  orders.grace_ns = x.grace_ns;
  return orders;
}

bool has_orders(const executor_state& x) {
  return x.stop || (x.spec && (!x.runs || x.spec->generation > x.generation));
}

} // namespace

void answer_waiting(executor_state& x) {
  if (x.waiting.pending() && has_orders(x))
    x.waiting.deliver(orders_for(x));
}

caf::result<executor_orders_msg> on_register(agent_pointer self, const executor_register_msg& x) {
  auto& st = self->state;
  auto decided = st.core->executor_registered(x);
  if (!decided)
    return fail(decided.error());
  auto& known = st.executors[task_key(*x.task)];
  known.task = *x.task;
  known.process = static_cast<int>(x.pid);
  run(self, *decided);
  known.runs = x.awaits_next;
  known.generation = x.generation;
  if (has_orders(known))
    return orders_for(known);
  known.waiting = self->make_response_promise<executor_orders_msg>();
  return known.waiting;
}

caf::result<executor_orders_msg> on_report(agent_pointer self, const executor_report_msg& x) {
  auto decided = self->state.core->executor_reported(*x.report);
  if (!decided)
    return fail(decided.error());
  run(self, *decided);
  auto found = self->state.executors.find(task_key(*x.report->task));
  if (found == self->state.executors.end())
    return executor_orders_msg{};
  found->second.command = x.process;
  auto orders = orders_for(found->second, x.report->state == task_state::registered);
  if (x.report->state == task_state::running)
    orders.requests = std::exchange(found->second.requests, {});
  orders.level = found->second.level;
  return orders;
}

caf::result<done_msg> on_ask(agent_pointer self, const ask_task_msg& x) {
  auto found = self->state.executors.find(task_key(*x.task));
  if (found == self->state.executors.end())
    return fail(errc::not_found, "task " + printable(task_key(*x.task)) + " does not run here");
  auto& waiting = found->second.requests;
  if (std::find(waiting.begin(), waiting.end(), x.request) == waiting.end())
    waiting.push_back(x.request);
  if (x.request == task_request::log_level)
    found->second.level = x.level;
  return done_msg{};
}

caf::result<exec_started_msg> on_exec(agent_pointer self, const exec_task_msg& x) {
  auto& st = self->state;
  auto found = std::find_if(st.executors.begin(), st.executors.end(), [&](auto& each) {
    auto& task = each.second.task;
    return task.job == x.job && task.type == x.type && task.index == x.index
           && each.second.command != 0;
  });
  if (found == st.executors.end())
    return fail(errc::unavailable, "task " + x.type + ":" + std::to_string(x.index) + " of job "
                                     + std::to_string(x.job)
                                     + " does not run now; see its state with: troupe job "
                                     + std::to_string(x.job));
  auto with_process = x;
  with_process.process = found->second.command;
  return self->delegate(st.commands, std::move(with_process));
}

} // namespace troupe
