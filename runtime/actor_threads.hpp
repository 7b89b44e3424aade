// The actors of a process on a few threads.
//
// CAF's stealing scheduler polls: it costs 2 % of a core when idle, and 150 us a hop. The sharing
// one sleeps until there is work.
#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>

namespace troupe {

// For the constructor of an actor system: `system(with_threads(config, 2))`.
inline caf::actor_system_config& with_threads(caf::actor_system_config& config, size_t threads) {
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", threads);
  return config;
}

} // namespace troupe
