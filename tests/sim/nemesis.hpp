// Seeded faults against a simulated world: crashes, partitions, clogs, and what the network does to
// frames. Each seed draws which of them it uses, so that rare ones are not always drowned by
// others. Source: Groce et al., "Swarm testing", ISSTA 2012.
#pragma once

#include "tests/support/sim_world.hpp"

namespace troupe::testing {

class nemesis {
public:
  // `mortal`: the nodes that may crash. They all must be started.
  nemesis(sim_world& world, std::vector<std::string> mortal);

  // One more kind of fault, drawn as often as each of the others.
  void add(std::function<void()> fault) { more_.push_back(std::move(fault)); }

  // Does its work for `span` of time, then ends every fault and starts every node again.
  void run(duration span);

private:
  void strike();
  void crash();
  void partition();
  void clog();
  std::string any_node();

  sim_world& world_;
  const std::vector<std::string> mortal_;
  bool crashes_;
  bool partitions_;
  bool clogs_;
  duration pause_;
  duration outage_; // the longest of a node
  std::vector<std::function<void()>> more_;
};

} // namespace troupe::testing
