// The scheduler of one node of a simulation: it puts what is ready where the world draws from.
#pragma once

#include "tests/support/sim_world.hpp"

#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_execution_unit.hpp>

namespace troupe::testing {

class seeded_scheduler final : public caf::scheduler::test_coordinator {
public:
  seeded_scheduler(caf::actor_system& system, sim_world& world, uint64_t number);

  uint64_t number() const { return number_; }

  // Lets an actor handle one message.
  void resume(caf::resumable* job);

  // Kills every actor that ever ran here, and lets them die.
  void kill_all();

  // Runs what is ready here, without letting the world choose.
  void drain();

  // What becomes ready between these two waits for the second.
  void freeze();
  void thaw();

protected:
  void enqueue(caf::resumable* job) override;
  void stop() override { drain(); }

private:
  void put(caf::resumable* job);

  sim_world& world_;
  const uint64_t number_;
  caf::scoped_execution_unit unit_;
  std::map<caf::actor_id, caf::weak_actor_ptr> seen_;
  bool frozen_ = false;
  std::vector<caf::resumable*> held_;
};

} // namespace troupe::testing
