// The actor of the metadata store: what clients write to it, ask of it, and are told of it.
//
//   client --write_records--> artifact_store --batch--> disk
//                                   |  ^                  |
//   client <--records_written-------+  +---- durable -----+
//   client <--record_changes--------+  (every subscriber that waits)
//
// Writes take effect in the order in which they come, and share synced writes. Questions are
// answered by an actor of its own, so that a long one holds up no write; checks and backups by one
// each. A subscriber that is slow, or gone, costs the others nothing.
// Threads: an actor; it reads the disk, so that it has a thread of its own.
#pragma once

#include "actors/lineage/interfaces.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <caf/actor_system.hpp>

#include <functional>
#include <string>

namespace troupe::storage {
class metadata;
class store;
} // namespace troupe::storage

namespace troupe {

struct artifact_store_ports {
  storage::metadata* records = nullptr; // both outlive the actor
  const storage::store* all = nullptr;  // what checks look at: where the records are
  std::function<result<void>(const std::string& directory)> copy; // a backup of it
  // Waits until what the cluster writes of itself is there: before a question about now.
  std::function<void()> settle = [] {};
};

// Observes the metadata store: before its first write. It ends when it is killed.
artifact_store_api spawn_artifact_store(caf::actor_system& system, artifact_store_ports ports);

} // namespace troupe
