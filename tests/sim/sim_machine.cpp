#include "tests/sim/sim_machine.hpp"

#include "actors/cluster/admission.hpp"

#include <caf/all.hpp>

namespace troupe::testing {

using namespace std::chrono_literals;

// What one life of the agent knows of its executors, as launcher/executors.cpp has it.
class sim_launcher final : public executor_launcher {
public:
  explicit sim_launcher(sim_machine& machine) : machine_(machine) {}

  result<int> start(const start_task_msg& order) override {
    auto id = machine_.start(order);
    if (id)
      known_.emplace(*id, true);
    return id;
  }

  void end(int process, bool by_force) override {
    machine_.after(0s, [&machine = machine_, process, by_force] {
      by_force ? machine.end_executor(process, 137) : machine.stop_executor(process);
    });
  }

  std::vector<ended_executor> collect() override {
    std::vector<ended_executor> ended;
    std::erase_if(known_, [&](auto& each) {
      auto gone = machine_.gone_.find(each.first);
      if (gone == machine_.gone_.end())
        return false;
      auto child = each.second;
      ended.push_back({each.first, child ? gone->second : 1});
      return true;
    });
    return ended;
  }

  std::vector<std::pair<start_task_msg, int>> left_running() override {
    std::vector<std::pair<start_task_msg, int>> found;
    for (auto& [id, process] : machine_.processes_) {
      known_.emplace(id, false);
      found.emplace_back(process.order, id);
    }
    return found;
  }

  void remember(const start_task_msg& order) override {
    machine_.disk_.kept[task_key(*order.task)] = order;
  }

  std::vector<start_task_msg> left_waiting() override {
    std::vector<start_task_msg> found;
    for (auto& [key, order] : machine_.disk_.kept)
      found.push_back(order);
    return found;
  }

  void forget(const task_id_msg& task) override { machine_.disk_.kept.erase(task_key(task)); }

private:
  sim_machine& machine_;
  std::map<int, bool> known_; // executor -> whether this life started it
};

sim_machine::sim_machine(sim_world& world, job_ledger& seen, std::string node,
                         machine_options options)
  : world_(world), seen_(seen), node_(std::move(node)), options_(options),
    last_process_(options.first_process) {}

sim_machine::~sim_machine() = default;

void sim_machine::boot_agent(sim_node& node, uint64_t incarnation) {
  launcher_ = std::make_unique<sim_launcher>(*this);
  agent_ports ports;
  ports.options.name = node_;
  ports.options.capacity = options_.capacity;
  ports.options.incarnation = incarnation;
  ports.options.orphan_timeout = options_.orphan_timeout;
  ports.options.orphan_grace = 1s;
  ports.link = node.link.get();
  ports.executors = launcher_.get();
  cache_ = std::make_unique<sim_package_cache>(
    world_, disk_, [this](duration wait, std::function<void()> what) { after(wait, what); },
    healed_, [this](const std::string& hash) { return uses(hash); });
  ports.packages = cache_.get();
  ports.options.packages = options_.packages;
  ports.on_stop = [this, life = node.life] {
    world_.time.after(0s, [this, life] {
      if (auto* now = world_.find(node_); now && now->life == life)
        end_agent();
    });
  };
  auto actor = spawn_node_agent(*node.system, std::move(ports));
  node.callers.push_back(caf::actor_cast<caf::actor>(actor));
  node.on_up = [actor](const peer& who) {
    caf::anon_send(actor, node_link_changed{who.name, true});
  };
  node.on_down = [actor](const peer& who, const error&) {
    caf::anon_send(actor, node_link_changed{who.name, false});
  };
  node.link->publish<agent_api>("agent", actor);
  node.link->publish<agent_executor_api>("agent/executors", actor);
  auto listening = node.carrier->listen(node.endpoint());
  TROUPE_ASSERT(listening);
  node.link->keep_connected(*node.carrier, "sim:master");
}

// ---- executors ----

std::string sim_machine::node_of(int id) {
  std::string name = "executor-";
  return name.append(std::to_string(id));
}

result<int> sim_machine::start(const start_task_msg& order) {
  auto& random = world_.time.random;
  if (!healed_ && random.chance(options_.start_failures))
    return {errc::io, "cannot start the executor: too many processes"};
  seen_.launched(node_, order, room());
  for (auto& each : order.resources)
    if (!disk_.has(each->hash))
      world_.violated(task_key(*order.task) + " is launched on " + node_ + " without a package");
  disk_.kept.erase(task_key(*order.task));
  auto id = ++last_process_;
  auto& made = processes_[id];
  made.order = order;
  auto& options = made.options;
  options.agent_node = node_;
  options.job = order.task->job;
  options.attempt = order.task->attempt;
  options.type = order.task->type;
  options.index = order.task->index;
  options.register_deadline = 5s;
  options.orphan_timeout = options_.orphan_timeout;
  options.stop_grace = 1s;
  options.timeout = duration{static_cast<int64_t>(order.timeout_ns)};
  after(world_.time.between(1ms, 20ms), [this, id] {
    if (!find(id))
      return;
    world_.add(node_of(id), [this, id](sim_node& node) { boot_executor(node, id); });
    world_.start(node_of(id));
  });
  return id;
}

void sim_machine::boot_executor(sim_node& node, int id) {
  auto& process = *find(id);
  process.shell = spawn_task_shell(*node.system, std::make_shared<surroundings>(around(node, id)));
  if (process.stop_asked)
    caf::anon_send(process.shell, stop_wanted{});
  auto tell = [this, id, agent = node_](const peer& who, bool up) {
    auto* alive = find(id);
    if (!alive || who.name != agent)
      return;
    seen_.connected(*alive->order.task);
    caf::anon_send(alive->shell, link_changed{up});
  };
  node.on_up = [tell](const peer& who) { tell(who, true); };
  node.on_down = [tell](const peer& who, const error&) { tell(who, false); };
  node.link->keep_connected(*node.carrier, "sim:" + node_);
}

surroundings sim_machine::around(sim_node& node, int id) {
  auto& process = *find(id);
  return {process.options,
          [&node, agent = node_](duration deadline) {
            return node.link->proxy<agent_executor_api>(node_named(agent), "agent/executors",
                                                        {deadline});
          },
          [this, id](const cluster_spec_msg& spec) {
            if (spec.generation != 0)
              seen_.told_generation(spec);
            start_command(id);
          },
          [this](const cluster_spec_msg& spec) {
            seen_.told_generation(spec);
            return true;
          },
          [this, id](duration grace) { stop_command(id, grace); },
          [](task_request, log_level) {},
          [] { return std::map<std::string, metric_value>{}; },
          [this, task = *process.order.task] { return seen_.awaited(task); },
          [this, id](int code) { after(1ms, [this, id, code] { end_executor(id, code); }); },
          id,
          static_cast<uint16_t>(1024 + id % 60'000),
          [] { return uint16_t{0}; }};
}

void sim_machine::stop_executor(int id) {
  auto* process = find(id);
  if (!process)
    return;
  process->stop_asked = true;
  if (process->shell)
    caf::anon_send(process->shell, stop_wanted{});
}

void sim_machine::end_executor(int id, int code) {
  auto* process = find(id);
  if (!process)
    return;
  if (process->stage == command::running)
    seen_.ended(*process->order.task, 137);
  process->shell = nullptr;
  gone_[id] = code;
  world_.remove(node_of(id), true);
  processes_.erase(id);
}

// ---- the user's processes ----

void sim_machine::start_command(int id) {
  if (auto* process = find(id))
    process->stage = command::starting;
  after(world_.time.between(1ms, 10ms), [this, id] { run_command(id); });
}

void sim_machine::run_command(int id) {
  auto* process = find(id);
  if (!process || process->stage != command::starting)
    return;
  if (process->kill_at)
    return end_command(id, exit_of_stopped, true, "stopped before it started");
  process->stage = command::running;
  seen_.started(*process->order.task);
  caf::anon_send(process->shell, command_started{id});
  auto& what = process->order.command.front();
  if (what == "hang")
    return;
  auto fails = (what == "once" && process->order.task->attempt == 1)
               || (what == "flaky" && world_.time.random.chance(0.3));
  after(world_.time.between(1ms, options_.run_max), [this, id, fails] { end_work(id, fails); });
}

// Its work is done, unless it waits for others.
void sim_machine::end_work(int id, bool fails) {
  auto* process = find(id);
  if (!process || process->frozen)
    return;
  if (seen_.awaited(*process->order.task))
    return after(200ms, [this, id, fails] { end_work(id, fails); });
  end_command(id, fails ? 1 : 0, false, fails ? "it failed" : "");
}

void sim_machine::stop_command(int id, duration grace) {
  auto* process = find(id);
  auto when = world_.time.now + grace;
  if (!process || (process->kill_at && *process->kill_at <= when))
    return;
  process->kill_at = when;
  if (process->order.command.front() != "stubborn" && !process->frozen)
    after(world_.time.between(1ms, 300ms),
          [this, id] { end_command(id, exit_of_stopped, true, "it was asked to end"); });
  after(grace, [this, id] { end_command(id, 137, true, "it did not end in time"); });
}

void sim_machine::end_command(int id, int code, bool stopped, const std::string& why) {
  auto* process = find(id);
  if (!process || process->stage == command::over || process->stage == command::none)
    return;
  if (process->stage == command::running)
    seen_.ended(*process->order.task, code);
  process->stage = command::over;
  caf::anon_send(process->shell, command_ended{{code, stopped || process->kill_at, why}});
}

// ---- faults ----

void sim_machine::kill_any() {
  if (processes_.empty() || frozen_)
    return;
  auto& random = world_.time.random;
  auto chosen
    = std::next(processes_.begin(), static_cast<ptrdiff_t>(random.below(processes_.size())));
  auto id = chosen->first;
  if (random.chance(0.5))
    end_command(id, 137, false, "it was killed by signal 9");
  else if (random.chance(0.5))
    end_executor(id, 137);
  else
    world_.freeze(node_of(id)); // alone, for good
}

void sim_machine::freeze_command() {
  for (auto& [id, process] : processes_)
    if (process.stage == command::running && !process.frozen && seen_.froze(*process.order.task)) {
      process.frozen = true;
      return;
    }
}

void sim_machine::leave() {
  if (auto* node = world_.find(node_); node && !node->callers.empty())
    caf::anon_send(caf::actor_cast<node_agent>(node->callers.front()), leave_cluster{});
}

void sim_machine::end_agent() {
  world_.crash(node_, true);
  world_.time.after(world_.time.between(100ms, 2s), [this] { world_.start(node_); });
}

void sim_machine::lose_power() {
  held_.clear();
  thaw();
  world_.crash(node_, false);
  cache_.reset();
  if (world_.time.random.chance(0.5)) // what was not synced
    disk_.kept.clear();
  while (!processes_.empty()) {
    auto id = processes_.begin()->first;
    world_.remove(node_of(id), false);
    end_executor(id, 137);
  }
}

void sim_machine::freeze() {
  frozen_ = true;
  world_.freeze(node_);
  for (auto& [id, process] : processes_)
    world_.freeze(node_of(id));
}

void sim_machine::thaw() {
  if (!std::exchange(frozen_, false))
    return;
  world_.thaw(node_);
  for (auto& [id, process] : processes_)
    world_.thaw(node_of(id));
  for (auto& each : std::exchange(held_, {}))
    each();
}

void sim_machine::heal() {
  healed_ = true;
  thaw();
  end_forgotten();
}

// A command that stands still is killed when others wait for it; where nobody does, nobody knows.
void sim_machine::end_forgotten() {
  std::vector<int> forgotten;
  for (auto& [id, process] : processes_)
    if (process.frozen && !seen_.is_awaited(*process.order.task))
      forgotten.push_back(id);
  for (auto id : forgotten)
    end_command(id, 137, false, "it was killed by signal 9");
  after(1s, [this] { end_forgotten(); });
}

void sim_machine::after(duration wait, std::function<void()> what) {
  world_.time.after(wait, [this, what] {
    if (frozen_)
      held_.push_back(what);
    else
      what();
  });
}

sim_machine::executor* sim_machine::find(int id) {
  auto found = processes_.find(id);
  return found != processes_.end() ? &found->second : nullptr;
}

bool sim_machine::uses(const std::string& hash) const {
  return std::any_of(processes_.begin(), processes_.end(), [&](auto& process) {
    auto& used = process.second.order.resources;
    return std::any_of(used.begin(), used.end(), [&](auto& each) { return each->hash == hash; });
  });
}

resources sim_machine::room() const {
  auto left = options_.capacity;
  for (auto& [id, process] : processes_)
    left -= {process.order.cpus, process.order.memory, process.order.accelerators};
  return left;
}

std::string sim_machine::text() const {
  std::string out = node_ + ":";
  for (auto& [id, process] : processes_) {
    out.append(" ").append(task_key(*process.order.task));
    if (process.stage == command::running)
      out += '*';
  }
  return out;
}

} // namespace troupe::testing
