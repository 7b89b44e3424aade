#include "launcher/master_metrics.hpp"

#include <map>

namespace troupe::launcher {

std::vector<metric_family> families_of(const cluster_status_msg& from) {
  metric_family up{"troupe_node_up", "Whether a node is alive", false, {}};
  metric_family tasks{"troupe_node_tasks", "Tasks on a node", false, {}};
  metric_family cpus{"troupe_node_cpus", "Cpus of a node", false, {}};
  metric_family free{"troupe_node_cpus_free", "Cpus of a node that no task has", false, {}};
  for (auto& node : from.nodes) {
    auto add = [&](metric_family& to, double value) {
      to.values.push_back({{{"node", node->name}}, value});
    };
    add(up, node->alive ? 1 : 0);
    add(tasks, node->tasks);
    add(cpus, node->cpus);
    add(free, node->cpus_free);
  }
  metric_family epoch{"troupe_epoch", "How often a master has started", false, {}};
  epoch.values.push_back({{}, static_cast<double>(from.epoch)});
  return {up, tasks, cpus, free, epoch};
}

std::vector<metric_family> families_of(const job_list_msg& from) {
  std::map<job_state, double> count;
  for (auto state : EnumValuesjob_state())
    count[state] = 0;
  for (auto& job : from.jobs)
    ++count[job->state];
  metric_family jobs{"troupe_jobs", "Jobs that the master remembers", false, {}};
  for (auto& [state, number] : count)
    jobs.values.push_back({{{"state", EnumNamejob_state(state)}}, number});
  return {jobs};
}

} // namespace troupe::launcher
