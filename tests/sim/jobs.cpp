#include "tests/sim/jobs.hpp"

#include "tests/sim/job_cluster.hpp"
#include "tests/sim/nemesis.hpp"

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

// As in production, and shorter: what takes a minute there takes seconds here.
master_options fast_master() {
  master_options out;
  out.gangs.register_timeout = 3s;
  out.gangs.await_timeout = 1s;
  out.gangs.backoff_first = 200ms;
  out.gangs.backoff_max = 1s;
  out.gangs.stop_grace = 500ms;
  out.gangs.repeat_after = 500ms;
  out.gangs.jobs_directory = "jobs";
  out.grow_after = 2s;
  out.reconnect_time = 3s;
  out.return_time = 500ms;
  return out;
}

cluster_options calm(random_source& random) {
  cluster_options out;
  out.master = fast_master();
  out.master.records_per_snapshot = 4 + random.below(7);
  out.machine.capacity = {4, 0, 0};
  out.machine.packages = {200, 2, 5s, 200ms}; // two of them fit
  return out;
}

cluster_options wild(random_source& random) {
  auto out = calm(random);
  out.machines = 2 + random.below(2);
  out.machine.capacity.cpus = 2 + random.below(3);
  if (random.chance(0.3))
    out.machine.orphan_timeout = 5s;
  if (random.chance(0.3))
    out.machine.start_failures = 0.05;
  constexpr std::array slowest{5ms, 50ms, 300ms};
  out.commit_max = slowest[random.below(slowest.size())];
  out.master.records_per_snapshot = random.chance(0.5) ? 1 + random.below(5) : 3 + random.below(60);
  return out;
}

task_type_msg& add_type(wanted_job& job, const std::string& name, const std::string& command) {
  auto& made = *job.spec.tasks.emplace_back(std::make_unique<task_type_msg>());
  made.name = name;
  made.command = {command};
  return made;
}

// A job that is more than a plain gang. A second type has one task. `greedy`: it serves a second
// stage that needs all other room, so that two of these stand in each other's way.
void shape(random_source& random, uint32_t room, bool greedy, wanted_job& job) {
  auto& spec = job.spec;
  auto& worker = *spec.tasks.front();
  if (greedy || random.chance(0.2))
    add_type(job, "ps", "hang").role = task_role::untracked;
  else if (random.chance(0.1))
    add_type(job, "board", "flaky").role = task_role::sidecar;
  if (greedy || random.chance(0.3)) {
    auto& prepare = add_type(job, "prepare", random.chance(0.5) ? "steady" : "flaky");
    prepare.go_on = random.chance(0.5);
    worker.after = {"prepare"};
    if (greedy)
      worker.instances = room - 1;
  }
  worker.go_on = random.chance(0.2);
  for (auto& type : spec.tasks)
    if (random.chance(0.3))
      for (uint64_t i = 0; i < 1 + random.below(3); ++i)
        type->resources.push_back(sim_resource(3 * i + random.below(3)));
  spec.each_when_ready = random.chance(0.1);
  if (random.chance(0.2)) {
    auto& budget = *spec.retries.emplace_back(std::make_unique<retry_budget_msg>());
    budget.cause = static_cast<exit_class>(random.below(5));
    budget.restarts = static_cast<uint32_t>(random.below(3));
  }
  if (random.chance(0.2))
    worker.instances_min = static_cast<uint32_t>(1 + random.below(worker.instances));
  if (!worker.go_on && random.chance(0.3)) {
    worker.instances_min = 1;
    worker.regroup = true;
  }
  if (!greedy && random.chance(0.1)) {
    spec.array = static_cast<uint32_t>(2 + random.below(3));
    spec.array_at_once = static_cast<uint32_t>(random.below(3));
  }
  spec.priority = static_cast<priority_class>(random.below(3));
  if (random.chance(0.1))
    spec.timeout_ns = 1'000'000'000 * (1 + random.below(10));
  if (random.chance(0.1))
    worker.timeout_ns = 100'000'000 * (1 + random.below(20));
}

void want_some(job_cluster& c, const std::string& client, duration span) {
  auto& random = c.world.time.random;
  constexpr std::array commands{"steady", "steady", "flaky", "once", "hang", "stubborn"};
  auto room = c.options.machine.capacity.cpus * c.options.machines;
  auto greedy = random.chance(0.15);
  wanted_job* earlier = nullptr;
  for (uint64_t i = 0; i < 2 + random.below(6); ++i) {
    auto command = std::string{commands[random.below(commands.size())]};
    auto plain = !greedy && random.chance(0.5);
    auto tasks = static_cast<uint32_t>(1 + random.below(plain ? room : room - 1));
    auto& job = c.want(client, command, tasks, static_cast<uint32_t>(1 + random.below(6)));
    if (!plain)
      shape(random, static_cast<uint32_t>(room), greedy, job);
    job.submit_after = c.world.time.between({}, span);
    job.twice = random.chance(0.3);
    if (command == "hang" || random.chance(0.2)) {
      job.spec.array = job.spec.array_at_once = 0; // its other jobs would not be killed
      job.kill_after = c.world.time.between({}, 3s);
    }
    if (earlier && random.chance(0.2)) {
      job.needs = earlier;
      job.need = static_cast<need_rule>(random.below(3));
    }
    if (random.chance(0.15)) {
      job.hold_after = c.world.time.between({}, 2s);
      job.release_after = *job.hold_after + c.world.time.between({}, 2s);
    }
    if (random.chance(0.15))
      job.requeue_after = c.world.time.between({}, 3s);
    earlier = &job;
  }
}

void add_faults(nemesis& chaos, job_cluster& c) {
  auto& time = c.world.time;
  auto any_machine
    = [&c, &time]() -> sim_machine& { return *c.machines[time.random.below(c.machines.size())]; };
  if (time.random.chance(0.5))
    chaos.add([any_machine] { any_machine().kill_any(); });
  auto dark = time.random.chance(0.5) ? 50ms : 3000ms;
  if (time.random.chance(0.4))
    chaos.add([any_machine, &c, &time, dark] {
      auto& machine = any_machine();
      machine.lose_power();
      time.after(time.between(1ms, dark), [&c, &machine] { c.world.start(machine.node()); });
    });
  if (time.random.chance(0.3))
    chaos.add([any_machine, &time] {
      auto& machine = any_machine();
      machine.freeze();
      time.after(time.between(100ms, 5s), [&machine] { machine.thaw(); });
    });
  if (time.random.chance(0.3))
    chaos.add([&c, &time] {
      auto names = c.world.names();
      auto name = names[time.random.below(names.size())];
      c.world.freeze(name);
      time.after(time.between(100ms, 3s), [&c, name] { c.world.thaw(name); });
    });
  if (time.random.chance(0.3))
    chaos.add([any_machine] { any_machine().leave(); });
  if (time.random.chance(0.3))
    chaos.add([any_machine] { any_machine().freeze_command(); });
  if (time.random.chance(0.3))
    chaos.add([&c, &time] { c.seen.part_some(time.random); });
  if (time.random.chance(0.2))
    chaos.add([&c] { c.disk.fail_next(); });
  if (time.random.chance(0.3))
    chaos.add([&c, &time] {
      c.disk.die_at(c.disk.commits() + 1 + time.random.below(10), time.random.chance(0.5),
                    [&c] { c.restart_master(300ms, true); });
    });
}

} // namespace

uint64_t jobs_through_chaos(uint64_t seed, std::vector<std::string>& violations) {
  job_cluster c(seed, wild);
  auto span = c.world.time.between(3s, 15s);
  want_some(c, "client-0", span);
  if (c.world.time.random.chance(0.5))
    want_some(c, "client-1", span);
  c.start();
  std::vector<std::string> mortal{"master"};
  for (auto& each : c.machines)
    mortal.push_back(each->node());
  nemesis chaos(c.world, mortal);
  add_faults(chaos, c);
  chaos.run(span);
  for (auto& each : c.machines)
    each->heal();
  c.demand_end(120s);
  c.demand_room();
  c.demand_lineage();
  return c.finish(violations);
}

namespace {

// When the master dies: at a commit (0: never), and once more a few commits later.
struct deaths {
  uint64_t commit = 0;
  bool written = false;
  uint64_t again = 0; // commits later; 0: never

  std::string text() const {
    return std::string{" (the master died right "} + (written ? "after" : "before") + " commit "
           + std::to_string(commit)
           + (again != 0 ? ", and " + std::to_string(again) + " later" : "") + ")";
  }
};

// Jobs, and how each of them ends whenever the master dies; attempt 0: in any.
struct job_set {
  void (*want)(job_cluster&);
  std::vector<std::pair<job_state, uint32_t>> ends;
};

// A gang that is well, one that fails once, and one that is killed.
void want_plain(job_cluster& c) {
  c.want("client-0", "steady", 3, 1);
  c.want("client-0", "once", 2, 2).submit_after = 100ms;
  auto& hanging = c.want("client-0", "hang", 3, 3);
  hanging.submit_after = 200ms;
  hanging.kill_after = 1s;
}

// One of two stages, one that needs it, an array, one that is held for a while, one that is sent
// back to its queue, and one that may grow.
void want_shaped(job_cluster& c) {
  auto& staged = c.want("client-0", "steady", 2, 1);
  add_type(staged, "prepare", "steady");
  staged.spec.tasks.front()->after = {"prepare"};
  auto& needy = c.want("client-0", "steady", 1, 1);
  needy.needs = &staged;
  needy.need = need_rule::succeeded;
  needy.submit_after = 300ms;
  auto& array = c.want("client-0", "steady", 1, 1);
  array.spec.array = 2;
  array.spec.array_at_once = 1;
  auto& held = c.want("client-0", "steady", 1, 1);
  held.hold_after = 0s;
  held.release_after = 1s;
  c.want("client-0", "steady", 1, 1).requeue_after = 200ms;
  auto& elastic = c.want("client-0", "steady", 6, 1);
  elastic.spec.tasks.front()->instances_min = 1;
}

uint64_t few_jobs(uint64_t seed, const job_set& jobs, const deaths& when, uint64_t& commits,
                  std::vector<std::string>& violations) {
  job_cluster c(seed, calm);
  jobs.want(c);
  auto restart
    = [&c] { c.restart_master(c.world.time.between(50ms, 1s), c.world.time.random.chance(0.5)); };
  c.disk.die_at(when.commit, when.written, [&] {
    restart();
    if (when.again != 0)
      c.disk.die_at(when.commit + when.again, when.written, restart);
  });
  c.start();
  c.demand_end(60s);
  for (size_t i = 0; i < jobs.ends.size(); ++i) {
    auto& job = *c.clients.at("client-0")[i];
    auto [state, attempt] = jobs.ends[i];
    auto killed_early = state == job_state::killed && job.attempt == 0; // while the master was away
    if (job.state != state || (attempt != 0 && job.attempt != attempt && !killed_early))
      c.world.violated("job " + std::to_string(job.id) + " (" + job.spec.name + ") is "
                       + EnumNamejob_state(job.state) + " in attempt "
                       + std::to_string(job.attempt));
  }
  c.demand_room();
  c.demand_lineage();
  commits = c.disk.commits();
  return c.finish(violations);
}

uint64_t at_every_step(uint64_t seed, const job_set& jobs, std::vector<std::string>& violations) {
  uint64_t commits = 0;
  uint64_t ignored = 0;
  auto hash = few_jobs(seed, jobs, {}, commits, violations);
  for (uint64_t at = 1; at <= commits && violations.empty(); ++at)
    for (auto& when : {deaths{at, true, 0}, deaths{at, false, 0}, deaths{at, true, 1 + at % 5}}) {
      auto before = violations.size();
      hash = hash * 31 + few_jobs(seed, jobs, when, ignored, violations);
      for (auto i = before; i < violations.size(); ++i)
        violations[i] += when.text();
    }
  return hash;
}

} // namespace

uint64_t master_restarts_at_every_step(uint64_t seed, std::vector<std::string>& violations) {
  return at_every_step(
    seed,
    {want_plain, {{job_state::succeeded, 1}, {job_state::succeeded, 2}, {job_state::killed, 1}}},
    violations);
}

uint64_t master_restarts_at_every_step_of_shaped_jobs(uint64_t seed,
                                                      std::vector<std::string>& violations) {
  const std::pair well{job_state::succeeded, 1u};
  const std::pair moved{job_state::succeeded, 0u};
  return at_every_step(seed, {want_shaped, {well, well, well, well, moved, moved}}, violations);
}

namespace {

cluster_options slow_disk(random_source& random) {
  auto out = calm(random);
  out.commit_max = 300ms;
  return out;
}

} // namespace

uint64_t power_cuts_behind_a_slow_disk(uint64_t seed, std::vector<std::string>& violations) {
  job_cluster c(seed, slow_disk);
  for (int i = 0; i < 8; ++i)
    c.want("client-0", "steady", 2, 9).submit_after = i * 300ms;
  c.start();
  for (auto& each : c.machines) {
    auto started = [&] { return each->executors() != 0 || c.all_final(); };
    if (!c.world.run_until(started, 20s))
      c.world.violated("no task is started on " + each->node());
    each->freeze();
    c.world.run_for(c.world.time.between(400ms, 1400ms));
    each->lose_power();
    c.world.run_for(c.world.time.between(1ms, 50ms));
    c.world.start(each->node());
  }
  c.demand_end(120s);
  c.demand_room();
  return c.finish(violations);
}

} // namespace troupe::testing
