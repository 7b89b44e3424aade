#include "actors/cluster/change_log.hpp"
#include "actors/cluster/lineage_projection.hpp"
#include "actors/cluster/master_replay.hpp"
#include "actors/cluster/master_shell.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge.hpp"
#include "storage/event_log.hpp"

namespace troupe {

namespace {

constexpr auto tick = std::chrono::milliseconds(200);
constexpr auto sweep_every = std::chrono::minutes(1);

moment moment_of(master_pointer self) {
  return {self->clock().now(), self->state.ports.time->wall_ns()};
}

void order(master_pointer self, send_start& x, const agent_api& agent) {
  if (!agent)
    return;
  auto task = *x.order.task;
  self->request(agent, order_deadline, std::move(x.order))
    .then([](const task_started_msg&) {},
          [self, node = x.node, task](caf::error& e) {
            auto why = reason_of(e);
            // Whether it arrived is open then: the agent's next report tells.
            if (why.code == errc::node_lost || why.code == errc::deadline
                || why.code == errc::queue_full)
              return;
            take(self, start_refused{node, task, why.text});
          });
}

template <class Order>
void order(master_pointer self, Order& x, const agent_api& agent) {
  if (!agent)
    return;
  // An order that is lost is repeated by the core until a report shows its effect.
  self->request(agent, order_deadline, std::move(x.order))
    .then([](const done_msg&) {}, [](caf::error&) {});
}

void order(master_pointer self, job_news& x, const agent_api&) {
  wake_watchers(self, x.job);
}

agent_api agent_for(const master_state& st, const master_effect& effect) {
  return std::visit(
    [&](auto& x) -> agent_api {
      if constexpr (requires { x.node; })
        if (auto found = st.agents.find(x.node); found != st.agents.end())
          return found->second;
      return {};
    },
    effect);
}

void run(master_pointer self, held_step& step) {
  for (auto& record : step.records)
    log_change(record);
  // Not earlier: a lineage that is ahead of the log could not be told from a log that lost its end.
  if (auto* lineage = self->state.ports.lineage; lineage && !step.records.empty())
    lineage->record(step.first, step.records);
  for (auto& effect : step.effects)
    std::visit([&](auto& x) { order(self, x, effect.agent); }, effect.what);
  if (step.then)
    step.then();
}

void save_snapshot(master_pointer self) {
  auto& st = self->state;
  auto* log = st.ports.log;
  auto sequence = log->last_sequence();
  std::vector<storage::snapshot_part> changed;
  for (auto& part : st.core->take_changes())
    changed.push_back({std::move(part.name),
                       part.record ? std::optional{encode_record(*part.record)} : std::nullopt});
  log->save_snapshot(sequence, std::move(changed),
                     [to = master_actor{self}, log, sequence](result<void> saved) {
                       if (!saved) // the changes are taken: the next one would lack them
                         return caf::anon_send(to, log_written{0, saved.error()});
                       log->trim(sequence, [](const result<void>&) {
                       }); // refused while the projection is behind: the next one trims
                     });
  st.records_since_snapshot = 0;
}

} // namespace

void hold(master_pointer self, master_outcome outcome, std::function<void()> then) {
  auto& st = self->state;
  st.ports.after_step(*st.core);
  held_step step;
  step.step = st.last_step;
  for (auto& effect : outcome.effects) {
    auto agent = agent_for(st, effect);
    step.effects.push_back({std::move(effect), std::move(agent)});
  }
  step.then = std::move(then);
  if (outcome.records.empty()) {
    if (st.held.empty())
      return run(self, step);
    st.held.push_back(std::move(step));
    return;
  }
  step.step = ++st.last_step;
  std::vector<std::string> bytes;
  for (auto& record : outcome.records)
    bytes.push_back(encode_record(record));
  st.records_since_snapshot += bytes.size();
  step.first = st.ports.log->last_sequence() + 1;
  step.records = std::move(outcome.records);
  st.held.push_back(std::move(step));
  st.ports.log->append(std::move(bytes),
                       [to = master_actor{self}, step = st.last_step](result<uint64_t> done) {
                         caf::anon_send(to, log_written{step, done ? error{} : done.error()});
                       });
  if (st.records_since_snapshot >= st.ports.options.records_per_snapshot)
    save_snapshot(self);
}

void take(master_pointer self, const master_input& input, std::function<void()> then,
          std::function<void(const error&)> refuse) {
  auto outcome = self->state.core->step(input, moment_of(self));
  if (outcome.refusal) {
    auto reason = *outcome.refusal;
    then = [refuse = std::move(refuse), reason] {
      if (refuse)
        refuse(reason);
    };
  }
  hold(self, std::move(outcome), std::move(then));
}

namespace {

void on_written(master_pointer self, const log_written& x) {
  auto& st = self->state;
  if (x.reason.code != errc::ok) {
    log::error("the event log cannot be written; the master ends", {{"reason", x.reason.text}});
    st.ports.on_fatal(x.reason);
    return self->quit();
  }
  while (!st.held.empty() && st.held.front().step <= x.step) {
    auto step = std::move(st.held.front());
    st.held.pop_front();
    run(self, step);
  }
}

void on_tick(master_pointer self) {
  self->delayed_send(self, tick, caf::tick_atom::value);
  take(self, timer_tick{});
  wake_late_watchers(self);
  auto& st = self->state;
  if (auto now = self->clock().now(); now >= st.sweep_at) {
    st.sweep_at = now + sweep_every;
    st.ports.packages->sweep(st.core->packages());
  }
  purge_when_due(self);
}

void on_link(master_pointer self, const node_link_changed& x) {
  // What is below a name (client/17, user/python-1) is no node.
  if (x.node.find('/') != std::string::npos)
    return;
  auto& st = self->state;
  if (x.up) {
    st.agents[x.node] = st.ports.link->proxy<agent_api>(node_named(x.node), "agent",
                                                        {order_deadline, run_on::pool});
    return;
  }
  st.agents.erase(x.node);
  if (!st.core->nodes().find(x.node))
    return;
  if (x.silent)
    take(self, node_gone{x.node});
  else
    take(self, node_unlinked{x.node});
}

// A node speaks for itself only: its name is that of its link.
caf::result<node_registered_msg> on_register(master_pointer self, const register_node_msg& x) {
  auto who = sender_of(self->current_sender());
  if (!who || who->name != x.name)
    return fail(errc::refused, "'" + (who ? who->name : std::string{}) + "' may not register node '"
                                 + x.name + "'");
  return take_and_answer<node_registered_msg>(self, x, [self, x] {
    auto answer = self->state.core->registered(x.name, x);
    answer.jobs_directory = self->state.ports.options.gangs.jobs_directory;
    return answer;
  });
}

caf::result<done_msg> on_report(master_pointer self, const node_report_msg& x) {
  auto who = sender_of(self->current_sender());
  if (!who)
    return fail(errc::unavailable, "the link that this report came over has ended");
  return take_and_confirm(self, node_reported{who->name, x});
}

caf::result<job_accepted_msg> on_submit(master_pointer self, const submit_job_msg& x) {
  if (auto shipped = x.spec ? check_packages(*x.spec, *self->state.ports.packages) : result<void>{};
      !shipped)
    return fail(shipped.error());
  auto promise = self->make_response_promise<job_accepted_msg>();
  auto outcome = self->state.core->step(x, moment_of(self));
  job_accepted_msg accepted;
  accepted.job = outcome.job;
  auto refusal = outcome.refusal;
  hold(self, std::move(outcome), [promise, accepted, refusal]() mutable {
    if (refusal)
      promise.deliver(fail(*refusal));
    else
      promise.deliver(accepted);
  });
  return promise;
}

master_actor::behavior_type behavior_of(master_pointer self) {
  self->delayed_send(self, tick, caf::tick_atom::value);
  return {
    [self](const log_written& x) { on_written(self, x); },
    [self](caf::tick_atom) { on_tick(self); },
    [self](const node_link_changed& x) { on_link(self, x); },
    [self](const submit_job_msg& x) { return on_submit(self, x); },
    [self](const kill_job_msg& x) { return take_and_confirm(self, x); },
    [self](const hold_job_msg& x) { return take_and_confirm(self, x); },
    [self](const requeue_job_msg& x) { return take_and_confirm(self, x); },
    [self](const ask_job_msg& x) { return on_ask(self, x); },
    [self](const get_job_msg& x) { return on_get_job(self, x); },
    [self](const list_jobs_msg& x) { return on_list(self, x); },
    [self](const get_history_msg& x) { return on_history(self, x); },
    [self](const get_usage_msg& x) -> caf::result<usage_msg> {
      return self->delegate(self->state.reader, x);
    },
    [self](const watch_job_msg& x) { return on_watch(self, x); },
    [self](const get_cluster_msg& x) { return status_of(self->state, x); },
    [self](const read_log_msg& x) { return on_read_log(self, x); },
    [self](const exec_task_msg& x) { return on_exec(self, x); },
    [self](const exec_io_msg& x) { return on_exec_io(self, x); },
    [self](const get_lineage_msg& x) -> caf::result<lineage_msg> {
      return self->delegate(self->state.reader, x);
    },
    [self](const find_packages_msg& x) { return reply_of(self->state.ports.packages->lacking(x)); },
    [self](const push_package_msg& x) { return reply_of(self->state.ports.packages->push(x)); },
    [self](const fetch_package_msg& x) { return reply_of(self->state.ports.packages->fetch(x)); },
    [self](const drain_node_msg& x) { return take_and_confirm(self, x); },
    [self](const stop_cluster_msg& x) {
      for (auto& [node, agent] : self->state.agents)
        self->request(agent, order_deadline, x).then([](const done_msg&) {}, [](caf::error&) {});
      self->state.ports.on_stop();
      return done_msg{};
    },
    [self](const register_node_msg& x) { return on_register(self, x); },
    [self](const node_report_msg& x) { return on_report(self, x); }};
}

} // namespace

result<master> spawn_master(caf::actor_system& system, master_ports ports) {
  auto core = std::make_shared<std::unique_ptr<master_core>>(
    std::make_unique<master_core>(ports.options, ports.seed));
  TROUPE_TRY(replay(*ports.log, **core));
  auto made = system.spawn(
    [core, ports = std::move(ports)](master_pointer self) mutable -> master_actor::behavior_type {
      self->state.ports = std::move(ports);
      self->state.core = std::move(*core);
      auto& given = self->state.ports;
      self->state.reader = spawn_archive_reader(self->system(), *given.history, *given.lineage,
                                                *given.time, given.history_work);
      auto behavior = behavior_of(self);
      hold(self, self->state.core->resume(moment_of(self)), {});
      return behavior;
    });
  return caf::actor_cast<master>(made);
}

} // namespace troupe
