#include "tests/support/sim_world.hpp"

#include "runtime/trace.hpp"
#include "tests/support/sim_scheduler.hpp"

#include <caf/all.hpp>

#include <fstream>

namespace troupe::testing {

namespace {

constexpr size_t violations_kept = 5;

} // namespace

// ---- scheduler ----

seeded_scheduler::seeded_scheduler(caf::actor_system& system, sim_world& world, uint64_t number)
  : test_coordinator(system), world_(world), number_(number), unit_(&system) {
  clock().current_time = world.time.now;
}

void seeded_scheduler::enqueue(caf::resumable* job) {
  if (auto* actor = dynamic_cast<caf::scheduled_actor*>(job))
    seen_.try_emplace(actor->id(), actor->ctrl());
  put(job);
}

void seeded_scheduler::put(caf::resumable* job) {
  if (frozen_)
    held_.push_back(job);
  else
    world_.ready_.push_back({this, job});
}

void seeded_scheduler::freeze() {
  frozen_ = true;
  std::erase_if(world_.ready_, [this](const sim_world::job& each) {
    if (each.owner == this)
      held_.push_back(each.what);
    return each.owner == this;
  });
}

void seeded_scheduler::thaw() {
  frozen_ = false;
  for (auto* each : std::exchange(held_, {}))
    put(each);
}

void seeded_scheduler::resume(caf::resumable* job) {
  switch (job->resume(&unit_, 1)) {
  case caf::resumable::resume_later:
    put(job);
    break;
  case caf::resumable::done:
  case caf::resumable::awaiting_message:
  case caf::resumable::shutdown_execution_unit:
    caf::intrusive_ptr_release(job);
    break;
  }
}

void seeded_scheduler::drain() {
  auto mine = [this](const sim_world::job& each) { return each.owner == this; };
  for (;;) {
    auto i = std::find_if(world_.ready_.begin(), world_.ready_.end(), mine);
    if (i == world_.ready_.end())
      return;
    auto* what = i->what;
    world_.ready_.erase(i);
    resume(what);
  }
}

void seeded_scheduler::kill_all() {
  std::vector<caf::strong_actor_ptr> alive;
  for (auto& [id, weak] : seen_)
    if (auto strong = weak.lock())
      alive.push_back(std::move(strong));
  for (auto& each : alive)
    caf::anon_send_exit(caf::actor_cast<caf::actor>(each), caf::exit_reason::kill);
  alive.clear();
  drain();
  clock().cancel_all();
  drain();
}

// ---- world ----

sim_world::sim_world(uint64_t seed) : time(seed), net(time) {}

sim_world::~sim_world() {
  for (auto& [name, slot] : slots_)
    crash(name, false);
}

void sim_world::add(const std::string& name, boot_function boot) {
  auto& slot = slots_[name];
  slot.boot = std::move(boot);
  slot.number = ++added_;
}

void sim_world::remove(const std::string& name, bool told) {
  if (!slots_.contains(name))
    return;
  crash(name, told);
  slots_.erase(name);
}

void sim_world::start(const std::string& name) {
  auto& slot = slots_.at(name);
  if (slot.node)
    return;
  slot.node = std::make_unique<sim_node>(*this, name, ++slot.lives);
  auto& node = *slot.node;
  auto number = slot.number;
  node.config = std::make_unique<caf::actor_system_config>();
  node.config->module_factories.push_back(
    [this, &node, number](caf::actor_system& system) -> caf::actor_system::module* {
      return node.scheduler = new seeded_scheduler(system, *this, number);
    });
  node.system = std::make_unique<caf::actor_system>(*node.config);
  node.carrier = std::make_unique<sim_transport>(net, name, node.life);
  bridge_options options;
  options.name = name;
  options.life = incarnation{node.life};
  node.link = std::make_unique<bridge>(
    *node.system, options,
    peer_events{[&node](const peer& who) { node.on_up(who); },
                [&node](const peer& who, const error& why) { node.on_down(who, why); }});
  auto attached = node.link->attach(*node.carrier);
  TROUPE_ASSERT(attached);
  trace::scope traced{++steps_};
  slot.boot(node);
}

void sim_world::crash(const std::string& name, bool told) {
  auto& slot = slots_.at(name);
  if (!slot.node)
    return;
  auto& node = *slot.node;
  // Destroying a system waits for its actors, and nobody would run them then: they die before it.
  node.carrier->cut(told);
  node.scheduler->thaw();
  node.callers.clear();
  node.on_up = [](const peer&) {};
  node.on_down = [](const peer&, const error&) {};
  node.scheduler->kill_all();
  node.link->stop();
  node.scheduler->kill_all();
  node.link.reset();
  node.system.reset();
  slot.node.reset();
}

void sim_world::freeze(const std::string& name) {
  if (auto* node = find(name)) {
    node->frozen = true;
    node->scheduler->freeze();
    node->carrier->freeze();
  }
}

void sim_world::thaw(const std::string& name) {
  auto* node = find(name);
  if (!node || !std::exchange(node->frozen, false))
    return;
  node->scheduler->thaw();
  node->carrier->thaw();
}

sim_node* sim_world::find(const std::string& name) {
  auto slot = slots_.find(name);
  return slot != slots_.end() ? slot->second.node.get() : nullptr;
}

std::vector<std::string> sim_world::names() const {
  std::vector<std::string> all;
  for (auto& [name, slot] : slots_)
    all.push_back(name);
  return all;
}

void sim_world::run(job next) {
  ++steps_;
  time.mix(next.owner->number());
  // Requests get the id of the step that sent them: a counted one, unlike that of a process.
  trace::scope traced{steps_};
  next.owner->resume(next.what);
}

void sim_world::run_ready() {
  while (!ready_.empty()) {
    std::swap(ready_[time.random.below(ready_.size())], ready_.back());
    auto next = ready_.back();
    ready_.pop_back();
    run(next);
  }
}

bool sim_world::step(time_point end) {
  run_ready();
  auto next = end;
  if (!time.empty())
    next = std::min(next, time.next());
  for (auto& [name, slot] : slots_)
    if (slot.node && slot.node->scheduler->has_pending_timeout())
      next = std::min(next, slot.node->scheduler->clock().schedule().begin()->first);
  next = std::max(next, time.now);
  auto wait = next - time.now;
  time.now = next;
  for (auto& [name, slot] : slots_)
    if (slot.node)
      slot.node->scheduler->advance_time(wait);
  trace::scope traced{++steps_};
  time.run_due();
  auto more = !ready_.empty() || time.now < end;
  run_ready();
  return more;
}

void sim_world::run_for(duration span) {
  auto end = time.now + span;
  while (step(end))
    continue;
}

bool sim_world::run_until(const std::function<bool()>& done, duration limit) {
  auto end = time.now + limit;
  while (!done())
    if (!step(end))
      return done();
  return true;
}

void sim_world::violated(const std::string& what) {
  if (violations_.size() < violations_kept)
    violations_.push_back(what);
}

int threads_of_process() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;)
    if (word == "Threads:") {
      int count = 0;
      in >> count;
      return count;
    }
  return 0;
}

} // namespace troupe::testing
