// Tasks that wait for their packages.
#include "actors/cluster/agent_core.hpp"
#include "actors/packages/resource_rules.hpp"

#include <algorithm>

namespace troupe {

agent_effects agent_core::adopt_waiting(const start_task_msg& order, time_point now) {
  agent_effects out;
  if (!order.task || find(*order.task) || !check_shipped(order.resources))
    return out;
  epoch_ = std::max(epoch_, order.epoch);
  launch_or_wait(add(order, task_state::starting), now, out);
  settle(now, out);
  return out;
}

void agent_core::launch_or_wait(entry& x, time_point now, agent_effects& out) {
  for (auto& each : x.order.resources) {
    packages_.want(each->hash, each->size, now);
    x.waits = x.waits || !packages_.has(each->hash);
  }
  if (!x.waits) {
    out.emplace_back(launch_executor{x.order});
    return;
  }
  x.report.state = task_state::pending;
  out.emplace_back(remember_task{x.order});
}

// Those that a living task uses or waits for.
std::set<std::string> agent_core::wanted() const {
  std::set<std::string> out;
  for (auto& [key, x] : tasks_)
    for (auto& each : x.order.resources)
      if (!x.ended)
        out.insert(each->hash);
  return out;
}

// What follows from which packages are here and wanted.
void agent_core::settle(time_point now, agent_effects& out) {
  for (auto& [key, x] : tasks_) {
    auto& needed = x.order.resources;
    if (x.ended || !x.waits || !std::all_of(needed.begin(), needed.end(), [&](auto& each) {
          return packages_.has(each->hash);
        }))
      continue;
    x.waits = false;
    x.report.state = task_state::starting;
    news_ = true;
    out.emplace_back(launch_executor{x.order});
  }
  auto in_use = wanted();
  for (auto& hash : packages_.idle(in_use))
    out.emplace_back(cancel_fetch{hash});
  for (auto& each : packages_.due(in_use, now))
    out.emplace_back(each);
  for (auto& hash : packages_.surplus(in_use))
    out.emplace_back(drop_package{hash});
}

agent_effects agent_core::fetch_ended(const fetch_outcome& outcome, time_point now) {
  agent_effects out;
  if (auto failed = packages_.ended(outcome, now))
    for (auto& [key, x] : tasks_)
      for (auto& each : x.order.resources)
        if (x.waits && !x.ended && each->hash == outcome.hash)
          end_waiting(x, task_state::failed,
                      "its resource \"" + printable(each->name) + "\" cannot be had on node "
                        + options_.name + ": " + failed->text,
                      out);
  settle(now, out);
  return out;
}

void agent_core::end_waiting(entry& x, task_state state, const std::string& reason,
                             agent_effects& out) {
  x.ended = true;
  x.report.state = state;
  x.report.reason = reason;
  x.report.cause = exit_class::infrastructure;
  news_ = true;
  out.emplace_back(forget_task{*x.order.task});
  out.emplace_back(report_due{});
}

} // namespace troupe
