#include "actors/cluster/agent_shell.hpp"
#include "actors/cluster/task_log.hpp"
#include "runtime/base/log.hpp"
#include "runtime/base/period.hpp"
#include "runtime/bridge.hpp"

namespace troupe {

namespace {

constexpr auto master_deadline = std::chrono::seconds(10);

// An executor ends right after its link: its end is looked for until then, not at the next tick.
constexpr auto look_again = std::chrono::milliseconds(2);
constexpr int looks = 25;

void send_report(agent_pointer self) {
  auto& st = self->state;
  if (!st.registered || st.report_open) {
    st.report_wanted = true;
    return;
  }
  st.report_open = true;
  st.report_wanted = false;
  st.last_report = self->clock().now();
  auto report = st.core->report();
  self->request(st.master, master_deadline, report)
    .then(
      [self, report](const done_msg&) {
        auto& now = self->state;
        now.report_open = false;
        now.core->acknowledge(report);
        now.core->master_seen(now.core->epoch(), self->clock().now());
        if (now.report_wanted)
          send_report(self);
      },
      [self](caf::error&) { self->state.report_open = false; });
}

void apply(agent_pointer self, const launch_executor& x) {
  auto& st = self->state;
  auto started = st.ports.executors->start(x.order);
  if (!started) {
    st.ports.executors->forget(*x.order.task);
    run(self, st.core->executor_exited(*x.order.task, 127, started.error().text));
    return;
  }
  auto& made = st.executors[task_key(*x.order.task)];
  made.task = *x.order.task;
  made.process = *started;
}

void apply(agent_pointer self, const deliver_spec& x) {
  auto found = self->state.executors.find(task_key(*x.spec.task));
  if (found == self->state.executors.end())
    return;
  found->second.spec = std::make_unique<cluster_spec_msg>(x.spec);
  answer_waiting(found->second);
}

void apply(agent_pointer self, const terminate_task& x) {
  auto found = self->state.executors.find(task_key(x.task));
  if (found == self->state.executors.end())
    return;
  found->second.stop = true;
  found->second.grace_ns = x.grace_ns;
  answer_waiting(found->second);
  self->state.ports.executors->end(found->second.process, false);
}

void apply(agent_pointer self, const kill_task& x) {
  auto found = self->state.executors.find(task_key(x.task));
  if (found != self->state.executors.end())
    self->state.ports.executors->end(found->second.process, true);
}

void apply(agent_pointer self, const remember_task& x) {
  self->state.ports.executors->remember(x.order);
}

void apply(agent_pointer self, const forget_task& x) {
  self->state.ports.executors->forget(x.task);
}

void on_fetched(agent_pointer self, const fetch_outcome& x) {
  run(self, self->state.core->fetch_ended(x, self->clock().now()));
}

// The ticket is asked for anew at each try: a master that is new knows no old one.
void apply(agent_pointer self, const fetch_due& x) {
  auto& st = self->state;
  fetch_package_msg asked;
  asked.hash = x.hash;
  asked.remote = st.ports.packages->remote();
  auto failed = [self, hash = x.hash](error why) { on_fetched(self, {hash, 0, std::move(why)}); };
  if (!st.master)
    return failed({errc::unavailable, "the master cannot be reached; wait until it is back"});
  self->request(st.master, master_deadline, std::move(asked))
    .then(
      [self, hash = x.hash](const bulk_access_msg& access) {
        self->state.ports.packages->fetch(
          hash, access, [me = caf::actor_cast<agent_actor>(self)](fetch_outcome outcome) {
            caf::anon_send(me, std::move(outcome));
          });
      },
      [failed](caf::error& why) { failed(reason_of(why)); });
}

void apply(agent_pointer self, const cancel_fetch& x) {
  self->state.ports.packages->cancel(x.hash);
}

void apply(agent_pointer self, const drop_package& x) {
  self->state.ports.packages->drop(x.hash);
}

void apply(agent_pointer self, const report_due&) {
  send_report(self);
}

} // namespace

void run(agent_pointer self, const agent_effects& effects) {
  for (auto& effect : effects)
    std::visit([&](auto& x) { apply(self, x); }, effect);
}

namespace {

// Runs the effects of an order that the core obeyed, and answers.
template <class Answer>
caf::result<Answer> obey(agent_pointer self, const result<agent_effects>& decided, Answer answer) {
  if (!decided)
    return fail(decided.error());
  run(self, *decided);
  return answer;
}

void register_with_master(agent_pointer self) {
  auto& st = self->state;
  auto mine = st.core->registration();
  mine.leaving = st.leaving;
  self->request(st.master, master_deadline, std::move(mine))
    .then(
      [self](const node_registered_msg& x) {
        auto& now = self->state;
        now.registered = true;
        now.jobs_directory = x.jobs_directory;
        now.core->master_seen(x.epoch, self->clock().now());
        for (auto& task : x.stop) {
          stop_task_msg stop;
          stop.epoch = x.epoch;
          stop.task = std::make_unique<task_id_msg>(*task);
          if (auto effects = now.core->stop(stop, self->clock().now()))
            run(self, *effects);
        }
        send_report(self);
      },
      [self](caf::error& why) {
        log::warning("the master did not register this node", {{"reason", reason_of(why).text}});
        if (self->state.master)
          self->state.ports.link->disconnect(node_named("master")); // the bridge dials again
      });
}

void end_all_tasks(agent_pointer self) {
  for (auto& [key, each] : self->state.executors)
    self->state.ports.executors->end(each.process, false);
}

void collect_ended(agent_pointer self) {
  auto& st = self->state;
  for (auto& ended : st.ports.executors->collect()) {
    auto found = std::find_if(st.executors.begin(), st.executors.end(),
                              [&](auto& each) { return each.second.process == ended.process; });
    if (found == st.executors.end())
      continue;
    auto task = found->second.task;
    st.executors.erase(found);
    st.ports.executors->forget(task);
    run(self, st.core->executor_exited(task, ended.exit_code,
                                       "the executor ended with code "
                                         + std::to_string(ended.exit_code)));
  }
}

void on_look(agent_pointer self) {
  collect_ended(self);
  if (--self->state.looks_left > 0)
    self->delayed_send(self, look_again, look_for_ends{});
}

void on_executor_gone(agent_pointer self) {
  if (std::exchange(self->state.looks_left, looks) == 0)
    self->delayed_send(self, look_again, look_for_ends{});
}

void on_link(agent_pointer self, const node_link_changed& x) {
  auto& st = self->state;
  if (x.node != "master") {
    if (!x.up)
      on_executor_gone(self);
    return;
  }
  st.registered = false;
  st.report_open = false;
  st.master = nullptr;
  if (!x.up) {
    if (st.leaving)
      end_all_tasks(self);
    return;
  }
  st.master = st.ports.link->proxy<master_agent_api>(node_named("master"), "master/agents",
                                                     {master_deadline});
  register_with_master(self);
}

// The master moves the gangs away; without one, the tasks are ended here.
void leave(agent_pointer self) {
  auto& st = self->state;
  st.leaving = st.stopping = true;
  if (st.registered)
    register_with_master(self);
  else
    end_all_tasks(self);
}

void on_tick(agent_pointer self) {
  auto& st = self->state;
  self->delayed_send(self, st.ports.tick, caf::tick_atom::value);
  collect_ended(self);
  auto now = self->clock().now();
  run(self, st.core->tick(now));
  auto period = [&](time_point at) {
    return period_of(node_named(st.ports.options.name), at, st.ports.report_every);
  };
  auto due = st.core->running() != 0 && period(now) != period(st.last_report);
  if (due || st.core->knows_news())
    send_report(self);
  auto told = !st.registered || !st.core->knows_news();
  if (st.stopping && st.executors.empty() && told)
    st.ports.on_stop();
}

agent_actor::behavior_type behavior_of(agent_pointer self) {
  self->delayed_send(self, self->state.ports.tick, caf::tick_atom::value);
  return {[self](caf::tick_atom) { on_tick(self); },
          [self](look_for_ends) { on_look(self); },
          [self](const fetch_outcome& x) { on_fetched(self, x); },
          [self](const node_link_changed& x) { on_link(self, x); },
          [self](leave_cluster) { leave(self); },
          [self](const start_task_msg& x) {
            task_started_msg started;
            started.task = std::make_unique<task_id_msg>(*x.task);
            return obey(self, self->state.core->start(x, self->clock().now()), std::move(started));
          },
          [self](const cluster_spec_msg& x) {
            return obey(self, self->state.core->spec(x, self->clock().now()), done_msg{});
          },
          [self](const stop_task_msg& x) {
            return obey(self, self->state.core->stop(x, self->clock().now()), done_msg{});
          },
          [self](const ask_task_msg& x) { return on_ask(self, x); },
          [self](const exec_task_msg& x) { return on_exec(self, x); },
          [self](const exec_io_msg& x) { return self->delegate(self->state.commands, x); },
          [self](const read_log_msg& x) {
            return reply_of(read_task_log(self->state.jobs_directory, x));
          },
          [self](const stop_cluster_msg&) {
            self->state.stopping = true;
            end_all_tasks(self);
            return done_msg{};
          },
          [self](const executor_register_msg& x) { return on_register(self, x); },
          [self](const executor_report_msg& x) { return on_report(self, x); }};
}

} // namespace

node_agent spawn_node_agent(caf::actor_system& system, agent_ports given) {
  auto ports = std::make_shared<agent_ports>(std::move(given));
  return caf::actor_cast<node_agent>(
    system.spawn([ports](agent_pointer self) -> agent_actor::behavior_type {
      auto& st = self->state;
      st.ports = std::move(*ports);
      st.commands = spawn_exec_desk(self->home_system(), st.ports.options.name,
                                    st.ports.exec_program, st.ports.exec_user);
      self->link_to(st.commands);
      st.core = std::make_unique<agent_core>(st.ports.options, self->clock().now());
      for (auto& [hash, bytes] : st.ports.packages->found())
        st.core->package_found(hash, bytes);
      for (auto& [order, process] : st.ports.executors->left_running()) {
        auto& known = st.executors[task_key(*order.task)];
        known.task = *order.task;
        known.process = process;
        st.core->adopt(order);
      }
      for (auto& order : st.ports.executors->left_waiting())
        run(self, st.core->adopt_waiting(order, self->clock().now()));
      return behavior_of(self);
    }));
}

} // namespace troupe
