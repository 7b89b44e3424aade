// Several nodes in one process and on one thread: virtual time, seeded order of all actors' steps,
// a network with faults, crashes and restarts. One seed gives one run.
//
//   sim_world world(seed);
//   world.add("a", [](sim_node& n) { ... spawn, publish, n.link->keep_connected(...) ... });
//   world.start("a");
//   world.run_for(10s);
//   world.crash("a", ...);  world.start("a");
//
// Guarantees
// - After crash() no handler of the node's actors runs, and nothing leaves the node.
// - The same seed gives the same hash(): it covers the node of every step, and the bytes and the
//   time of every frame.
// Limits: no detached or blocking actors, no middleman; handles of actors stay on their node.
#pragma once

#include "runtime/bridge.hpp"
#include "tests/support/sim_transport.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/resumable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe::testing {

class seeded_scheduler;
class sim_world;

// A node, while it is up.
struct sim_node {
  sim_node(sim_world& world_, std::string name_, uint64_t life_)
    : world(world_), name(std::move(name_)), life(life_) {}

  sim_world& world;
  std::string name;
  uint64_t life; // counted by the world, from 1
  bool frozen = false;
  std::function<void(const peer&)> on_up = [](const peer&) {};
  std::function<void(const peer&, const error&)> on_down = [](const peer&, const error&) {};
  std::vector<caf::actor> callers; // for the workload to talk to
  std::unique_ptr<caf::actor_system_config> config;
  seeded_scheduler* scheduler = nullptr;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<sim_transport> carrier;
  std::unique_ptr<bridge> link;

  std::string endpoint() const { return "sim:" + name; }
};

class sim_world {
public:
  using boot_function = std::function<void(sim_node&)>;

  explicit sim_world(uint64_t seed);
  ~sim_world();

  sim_world(const sim_world&) = delete;
  sim_world& operator=(const sim_world&) = delete;

  // A node that is down. `boot` runs at each start: it listens, connects, spawns and publishes.
  void add(const std::string& name, boot_function boot);

  void start(const std::string& name);

  // Ends a node at once. `told`: its peers get the end of their links, as when a process is killed;
  // else nothing, as when the power fails.
  void crash(const std::string& name, bool told);

  // The same, and the world forgets the node if it knows it.
  void remove(const std::string& name, bool told);

  // Stops a node in its tracks until thaw(): it does nothing, and what reaches it waits. Its timers
  // go on, as those of a stopped process do.
  void freeze(const std::string& name);
  void thaw(const std::string& name);

  // The node, or null when it is down.
  sim_node* find(const std::string& name);
  std::vector<std::string> names() const;

  // Runs all that is ready, and what the next `span` of time brings.
  void run_for(duration span);

  // The same until `done`, asked after each moment; false when `limit` passed before.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, duration limit);

  // An invariant does not hold. The first few are kept.
  void violated(const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }

  uint64_t hash() const { return time.hash(); }
  uint64_t steps() const { return steps_; }

  timeline time;
  network net;

private:
  friend class seeded_scheduler;

  struct job {
    seeded_scheduler* owner;
    caf::resumable* what;
  };

  struct known_node {
    boot_function boot;
    uint64_t number = 0; // in the hash
    uint64_t lives = 0;
    std::unique_ptr<sim_node> node;
  };

  void run_ready();
  bool step(time_point end); // to the next moment; false when there is none before `end`
  void run(job next);

  std::map<std::string, known_node> slots_;
  std::vector<job> ready_;
  uint64_t steps_ = 0;
  uint64_t added_ = 0;
  std::vector<std::string> violations_;
};

// How many threads this process has.
int threads_of_process();

} // namespace troupe::testing
