// The master: the shell around master_core (the decisions), the event log (what survives) and the
// agents.
//
//   client --request--> master --records--> event log --durable--> effects --orders--> agents
//                          \--------------------> answer
//
// Guarantees: a change is answered and acted on only after it is durable; a master whose log fails
// ends its process, and its successor goes on from the log. Supervised by: the process supervisor
// (launcher/master_process.cpp).
#pragma once

#include "actors/cluster/archive_reader.hpp"
#include "actors/cluster/interfaces.hpp"
#include "actors/cluster/master_core.hpp"
#include "actors/packages/package_desk.hpp"
#include "runtime/base/clock.hpp"

#include <caf/actor_system.hpp>

#include <functional>

namespace troupe::storage {
class event_log;
} // namespace troupe::storage

namespace troupe {

class bridge;
struct peer;
class lineage_projection;

// What a master is given; all of it outlives the actor.
struct master_ports {
  master_options options;
  uint64_t seed = 1;
  storage::event_log* log = nullptr;
  lineage_projection* lineage = nullptr;
  package_desk* packages = nullptr;
  const job_archive* history = nullptr; // what `lineage` writes with its own
  reader_work history_work = reader_work::on_own_thread;
  retention keep;
  bridge* link = nullptr;
  const clock* time = nullptr;
  std::function<void(const master_core&)> after_step = [](auto&) {}; // for tests
  std::function<void()> on_stop = [] {};                     // a client asked the cluster to stop
  std::function<void(const error&)> on_fatal = [](auto&) {}; // the log failed: the process must end
};

// A node came or went, as the bridge saw it.
struct node_link_changed {
  std::string node;
  bool up = false;
  bool silent = false; // it went because nothing was heard of it; else its link broke
};

using master = caf::typed_actor<caf::reacts_to<node_link_changed>>::extend_with<
  master_client_api>::extend_with<master_agent_api>;

// Replays the log and starts the actor. errc::corrupt: the log cannot be read.
result<master> spawn_master(caf::actor_system& system, master_ports ports);

} // namespace troupe

template <>
struct caf::allowed_unsafe_message_type<troupe::node_link_changed> : std::true_type {};
