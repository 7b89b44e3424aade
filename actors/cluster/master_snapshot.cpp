// The durable state of the master, in parts.
#include "actors/cluster/master_core.hpp"

#include <array>
#include <cstdio>

namespace troupe {

namespace {

// Behind the epoch and the nodes, which jobs need; in the order of the numbers.
std::string part_of_job(uint64_t id) {
  std::array<char, 20> name{};
  std::snprintf(name.data(), name.size(), "2%016llx", static_cast<unsigned long long>(id));
  return name.data();
}

cluster_event_msg record_of_epoch(uint64_t epoch) {
  epoch_started_msg out;
  out.epoch = epoch;
  return record_of(std::move(out), 0);
}

} // namespace

std::vector<state_part> master_core::take_changes() {
  std::vector<state_part> out;
  out.push_back({"0", record_of_epoch(epoch_)});
  for (auto& name : changed_nodes_)
    out.push_back({"1" + name, record_of(node_changed_msg{nodes_.find(name)->durable}, 0)});
  for (auto id : changed_jobs_) {
    auto* job = find(id);
    out.push_back({part_of_job(id), job ? std::optional{record_of(job->keep(), 0)} : std::nullopt});
  }
  forget_changes();
  return out;
}

void master_core::forget_changes() {
  changed_nodes_.clear();
  changed_jobs_.clear();
}

std::vector<cluster_event_msg> master_core::snapshot() const {
  std::vector<cluster_event_msg> out;
  out.push_back(record_of_epoch(epoch_));
  for (auto& [name, node] : nodes_.nodes())
    out.push_back(record_of(node_changed_msg{node.durable}, 0));
  for (auto& [id, job] : jobs_)
    out.push_back(record_of(job->keep(), 0));
  return out;
}

} // namespace troupe
