#include "tests/sim/job_cluster.hpp"

#include "tests/sim/job_client.hpp"

#include <caf/all.hpp>

namespace troupe::testing {

using namespace std::chrono_literals;

job_cluster::job_cluster(uint64_t seed, cluster_options (*draw)(random_source&))
  : world(seed), options(draw(world.time.random)), seen(world, options.master), disk(world),
    desk(world, seen) {
  disk.on_put
    = [this](std::string_view key, std::string_view value) { seen.wrote(key, value, disk); };
  world.add("master", [this](sim_node& node) { boot_master(node); });
  for (size_t i = 0; i < options.machines; ++i) {
    auto machine = options.machine;
    machine.first_process = static_cast<int>(10'000 * (i + 1));
    auto name = "node-" + std::to_string(i);
    auto* made
      = machines.emplace_back(std::make_unique<sim_machine>(world, seen, name, machine)).get();
    world.add(name, [this, made, life = uint64_t{0}](sim_node& node) mutable {
      life = next_incarnation(life, wall_of_a_machine());
      made->boot_agent(node, life);
    });
  }
}

int64_t job_cluster::wall_of_a_machine() {
  auto jump = world.time.random.chance(0.2) ? world.time.between({}, 24h) : duration{};
  return wall_.wall_ns() - jump.count();
}

job_cluster::~job_cluster() {
  for (auto& each : world.names())
    world.crash(each, false);
}

wanted_job& job_cluster::want(const std::string& client, const std::string& command, uint32_t tasks,
                              uint32_t attempts) {
  if (!clients.contains(client))
    world.add(client, [this](sim_node& node) { boot_client(node); });
  auto& all = clients[client];
  auto& made = *all.emplace_back(std::make_unique<wanted_job>());
  made.token = world.time.random.next();
  made.spec.name = command;
  made.spec.attempts_max = attempts;
  auto type = std::make_unique<task_type_msg>();
  type->name = "worker";
  type->instances = tasks;
  type->cpus = 1;
  type->command = {command};
  made.spec.tasks.push_back(std::move(type));
  return made;
}

void job_cluster::start() {
  for (auto& each : world.names())
    world.start(each);
}

// ---- nodes ----

void job_cluster::boot_master(sim_node& node) {
  master_.reset();
  disk.open();
  if (auto opened = open_master(node); !opened)
    world.violated("the master cannot start: " + opened.error().text);
}

result<void> job_cluster::open_master(sim_node& node) {
  master_ = std::make_unique<master_life>(node, disk, options.commit_max);
  auto& life = *master_;
  auto log = storage::event_log::open(disk, life.writer);
  if (!log)
    return log.error();
  life.log = std::move(*log);
  seen.opened(life.log->last_sequence());
  auto metadata = storage::metadata::open(disk, life.at_once, wall_);
  if (!metadata)
    return metadata.error();
  life.metadata = std::move(*metadata);
  life.history = std::make_unique<job_archive>(disk, options.master.gangs);
  life.lineage = std::make_unique<lineage_projection>(*life.metadata, "jobs", life.history.get(),
                                                      lineage_work::on_callers_thread);
  TROUPE_TRY(life.lineage->catch_up(*life.log));
  master_ports ports;
  ports.options = options.master;
  ports.seed = world.time.random.next();
  ports.log = life.log.get();
  ports.lineage = life.lineage.get();
  ports.packages = &desk;
  ports.history = life.history.get();
  ports.history_work = reader_work::on_schedulers_threads;
  ports.link = node.link.get();
  ports.time = &wall_;
  ports.after_step = [this](const master_core& core) {
    if (auto what = core.unsound(); !what.empty())
      world.violated("an index of the master is wrong: " + what);
  };
  ports.on_fatal = [this](const error&) { restart_master(200ms, true); };
  auto actor = spawn_master(*node.system, std::move(ports));
  if (!actor)
    return actor.error();
  node.callers.push_back(caf::actor_cast<caf::actor>(*actor));
  auto tell = [to = *actor](const peer& who, bool up, bool silent) {
    if (who.name.starts_with("node-"))
      caf::anon_send(to, node_link_changed{who.name, up, silent});
  };
  node.on_up = [tell](const peer& who) { tell(who, true, false); };
  node.on_down
    = [tell](const peer& who, const error& why) { tell(who, false, why.code == errc::deadline); };
  node.link->publish<master_client_api>("master", *actor);
  node.link->publish<master_agent_api>("master/agents", *actor);
  auto listening = node.carrier->listen(node.endpoint());
  return listening ? result<void>{} : listening.error();
}

void job_cluster::restart_master(duration outage, bool told) {
  auto* node = world.find("master");
  if (!node)
    return;
  node->carrier->cut(told);
  world.time.after({}, [this, told] { world.crash("master", told); });
  world.time.after(outage, [this] { world.start("master"); });
}

void job_cluster::boot_client(sim_node& node) {
  auto actor = spawn_job_client(node, seen, clients.at(node.name));
  node.callers.push_back(actor);
  node.on_up = [&node, actor](const peer& who) {
    caf::anon_send(actor, master_found{node.link->proxy<master_client_api>(
                            who.node, "master", {std::chrono::seconds(3)})});
  };
  node.link->keep_connected(*node.carrier, "sim:master");
}

// ---- the end ----

bool job_cluster::all_final() const {
  for (auto& [name, jobs] : clients)
    for (auto& each : jobs)
      if (!each->final)
        return false;
  return true;
}

void job_cluster::demand_end(duration limit) {
  if (!world.run_until([this] { return all_final(); }, limit))
    for (auto& [name, jobs] : clients)
      for (auto& each : jobs)
        if (!each->final)
          world.violated("job " + std::to_string(each->id) + " (" + each->spec.name + ") of " + name
                         + " does not end though all is well: " + EnumNamejob_state(each->state)
                         + " in attempt " + std::to_string(each->attempt) + ", "
                         + seen.history(each->id));
  if (!world.run_until([this] { return seen.unfinished() == 0; }, limit))
    world.violated("job " + std::to_string(seen.unfinished())
                   + " of an array does not end though all is well");
  auto nothing_runs = [this] {
    return std::all_of(machines.begin(), machines.end(),
                       [](auto& each) { return each->executors() == 0; });
  };
  if (!world.run_until(nothing_runs, options.machine.orphan_timeout + 10s))
    for (auto& each : machines)
      if (each->executors() != 0)
        world.violated("all jobs are over and executors are left on " + each->text());
}

void job_cluster::demand_room() {
  auto cpus = options.machine.capacity.cpus * machines.size();
  auto& last = want(clients.begin()->first, "steady", static_cast<uint32_t>(cpus), 3);
  if (!world.run_until([&] { return last.final; }, 30s) || last.state != job_state::succeeded)
    world.violated("a job that needs the whole cluster does not run though nothing else does: "
                   + std::string{EnumNamejob_state(last.state)} + ", " + seen.history(last.id));
}

void job_cluster::demand_lineage() {
  for (auto& [name, jobs] : clients)
    for (auto& each : jobs) {
      auto shown = master_->lineage->show(each->id);
      auto wanted = "job " + std::to_string(each->id) + " (" + each->spec.name + ") "
                    + EnumNamejob_state(each->state) + "\n";
      if (each->final && (!shown || !shown->text.starts_with(wanted)))
        world.violated("the lineage of job " + std::to_string(each->id) + " is '"
                       + (shown ? shown->text : shown.error().text) + "' and not '" + wanted + "'");
    }
}

uint64_t job_cluster::finish(std::vector<std::string>& violations) {
  seen.check_end();
  if (threads_of_process() != 1)
    world.violated("something started a thread");
  for (auto& each : world.names())
    world.crash(each, false);
  violations.insert(violations.end(), world.violations().begin(), world.violations().end());
  return world.hash();
}

} // namespace troupe::testing
