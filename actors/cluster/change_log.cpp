#include "actors/cluster/change_log.hpp"

#include "runtime/base/log.hpp"

namespace troupe {

void log_change(const cluster_event_msg& record) {
  if (auto* node = record.change.Asnode_changed()) {
    if (node->alive)
      log::info("node", {{"name", node->name}, {"draining", node->draining}});
    else
      log::warning("node lost", {{"name", node->name}});
  } else if (auto* job = record.change.Asjob_changed()) {
    log::info("job", {{"job", job->job},
                      {"attempt", job->attempt},
                      {"state", EnumNamejob_state(job->state)},
                      {"reason", job->reason}});
  }
}

} // namespace troupe
