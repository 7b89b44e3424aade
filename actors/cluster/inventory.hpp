// The nodes of the cluster as the master knows them.
// Durable (changed by records only): a node's declared resources, its incarnation, whether it lives
// and whether it drains. Volatile: whether it has registered with this life of the master, whether
// it is leaving, and which tasks it still holds that it was ordered to stop; these count until the
// node says they are gone. What living tasks hold is a running sum, which follows the jobs.
#pragma once

#include "actors/cluster/placement.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/protocol/messages.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

struct known_node {
  node_changed_msg durable;
  bool present = false;                       // registered with this life of the master
  bool leaving = false;                       // its agent ends when its tasks have ended
  bool drains = false;                        // it is to drain, and the time has come
  std::optional<time_point> expires;          // an absent node is given up then
  std::map<std::string, resources> lingering; // by task_key
  resources held;                             // by living tasks
  std::map<uint64_t, uint32_t> tasks;         // how many they are, by job

  resources capacity() const { return {durable.cpus, durable.memory, durable.accelerators}; }
  resources free() const; // what neither living nor lingering tasks have

  bool usable() const { return durable.alive && present && !drains && !leaving; }
};

// A name for one task of one attempt, unique in the cluster.
std::string task_key(const task_id_msg& x);

// Whether a reported task runs no more.
inline bool is_end(task_state x) {
  return x > task_state::running;
}

class inventory {
public:
  void apply(const node_changed_msg& x);

  // Null if there never was a node of this name.
  known_node* find(const std::string& name);
  const known_node* find(const std::string& name) const;

  // In the order of their names.
  std::map<std::string, known_node>& nodes() noexcept { return nodes_; }
  const std::map<std::string, known_node>& nodes() const noexcept { return nodes_; }

  // Why no living node can ever hold this task; empty if one can, or if no node lives.
  std::string misfit(const task_type_msg& type) const;

  // As above; a walk over them touches nothing but the nodes.
  const std::vector<known_node*>& row() const noexcept { return row_; }

private:
  std::map<std::string, known_node> nodes_;
  std::vector<known_node*> row_;
};

} // namespace troupe
