// What every role of a process stands on: an actor system, the local transport, and a bridge.
#pragma once

#include "actors/cluster/master.hpp"
#include "launcher/processes.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/bridge.hpp"
#include "runtime/local_transport.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace troupe::launcher {

struct role_system {
  // `changed`: a node came or went, on some thread.
  role_system(const std::string& name, std::function<void(const node_link_changed&)> changed);
  ~role_system();

  // Takes the actor that the role is: if it dies by itself, a bug, the process must end, and its
  // supervisor starts another.
  void hold(const caf::actor& root, const end_callback& on_end);

  system_clock time;
  caf::actor_system_config config;
  caf::actor_system system;
  std::unique_ptr<transport> local;
  bridge link;
  std::vector<caf::actor> roots; // killed at the end
};

} // namespace troupe::launcher
