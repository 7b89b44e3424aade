#include "tests/sim/nemesis.hpp"

#include <array>

namespace troupe::testing {

using namespace std::chrono_literals;

nemesis::nemesis(sim_world& world, std::vector<std::string> mortal)
  : world_(world), mortal_(std::move(mortal)) {
  auto& random = world.time.random;
  auto& faults = world.net.faults;
  constexpr std::array rates{0.0, 0.001, 0.005, 0.02};
  auto rate = [&] { return rates[random.below(rates.size())]; };
  faults.drop = rate();
  faults.duplicate = 5 * rate();
  faults.reorder = rate();
  faults.haunt = random.chance(0.3) ? 0.3 : 0;
  faults.delay_max = random.chance(0.3) ? 60ms : 2ms;
  faults.late_max = random.chance(0.5) ? 1500ms : 50ms;
  if (random.chance(0.2))
    faults.buffer_max = 2048;
  crashes_ = random.chance(0.7);
  partitions_ = random.chance(0.5);
  clogs_ = random.chance(0.5);
  pause_ = random.chance(0.3) ? 100ms : 700ms;
  outage_ = random.chance(0.5) ? 5ms : 1500ms;
}

void nemesis::run(duration span) {
  auto end = world_.time.now + span;
  while (world_.time.now < end) {
    world_.run_for(world_.time.between(1ms, pause_));
    strike();
  }
  world_.net.heal();
  for (auto& name : mortal_) {
    world_.thaw(name);
    world_.start(name);
  }
}

void nemesis::strike() {
  auto kind = world_.time.random.below(3 + more_.size());
  switch (kind) {
  case 0:
    return crash();
  case 1:
    return partition();
  case 2:
    return clog();
  default:
    return more_[kind - 3]();
  }
}

std::string nemesis::any_node() {
  auto all = world_.names();
  return all[world_.time.random.below(all.size())];
}

void nemesis::crash() {
  if (!crashes_ || mortal_.empty())
    return;
  auto name = mortal_[world_.time.random.below(mortal_.size())];
  world_.crash(name, world_.time.random.chance(0.5));
  world_.time.after(world_.time.between({}, outage_), [this, name] { world_.start(name); });
}

void nemesis::partition() {
  if (!partitions_)
    return;
  auto one = any_node();
  auto other = any_node();
  auto both = world_.time.random.chance(0.5);
  auto set = [this, one, other, both](bool cut) {
    auto& net = world_.net;
    cut ? net.block(one, other) : net.unblock(one, other);
    if (both)
      cut ? net.block(other, one) : net.unblock(other, one);
  };
  set(true);
  world_.time.after(world_.time.between(10ms, 3s), [set] { set(false); });
}

void nemesis::clog() {
  if (clogs_)
    world_.net.clog(any_node(), any_node(), world_.time.now + world_.time.between(10ms, 1s));
}

} // namespace troupe::testing
