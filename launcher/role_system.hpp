// What every role of a process stands on: an actor system, a bridge and its transports, and the one
// actor that the role is.
#pragma once

#include "actors/cluster/master.hpp"
#include "launcher/processes.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/bridge.hpp"
#include "runtime/local_transport.hpp"
#include "runtime/metrics.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <memory>
#include <mutex>

namespace troupe::launcher {

struct role_system {
  // `heartbeat`: see bridge_options; a peer is given up after six.
  explicit role_system(const std::string& name, duration heartbeat = bridge_options{}.heartbeat);
  ~role_system();

  // Takes the actor that the role is. It hears of every node_link_changed; if it dies by itself, a
  // bug, the process must end, and its supervisor starts another.
  void hold(const caf::actor& role, const end_callback& on_end);

  // Takes one that works beside the role: it ends with it, and if it dies the process ends too.
  void keep(const caf::actor& one, const end_callback& on_end);

  // Attaches a transport to other machines; its keys are in `directory`.
  result<void> attach_remote(const std::string& directory);

  // Serves what `collect` returns, on a thread of its own; an empty address: nowhere.
  result<void> serve_metrics(const std::string& address,
                             metrics_endpoint::collect_function collect);

  const std::string name;
  system_clock time;
  caf::actor_system_config config;
  caf::actor_system system;
  std::unique_ptr<transport> local;
  std::unique_ptr<transport> remote; // null unless attached
  std::mutex mutex;                  // guards role
  caf::actor role;
  bridge link;

private:
  void tell(const peer& who, bool up, bool silent);

  std::vector<caf::actor> kept_; // killed at the end, the role as well

  std::unique_ptr<metrics_endpoint> metrics_; // asks the role: it ends first
};

} // namespace troupe::launcher
