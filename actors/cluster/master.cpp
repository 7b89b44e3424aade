#include "actors/cluster/master.hpp"

#include "actors/cluster/change_log.hpp"
#include "actors/cluster/lineage_projection.hpp"
#include "actors/cluster/master_replay.hpp"
#include "runtime/actor_error.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge.hpp"
#include "storage/event_log.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <deque>

namespace troupe {

// The log has taken everything up to this step, or has failed.
struct log_written {
  uint64_t step = 0;
  error reason;
};

} // namespace troupe

template <>
struct caf::allowed_unsafe_message_type<troupe::log_written> : std::true_type {};

namespace troupe {

namespace {

constexpr auto tick = std::chrono::milliseconds(200);
constexpr auto order_deadline = std::chrono::seconds(10);
constexpr auto watch_time = std::chrono::seconds(1);

using master_actor = master::extend<caf::reacts_to<log_written>, caf::reacts_to<caf::tick_atom>>;

// What is done once its records are durable. An order goes to the life of the agent that it was
// decided for: `agent` is the handle of that time.
struct held_effect {
  master_effect what;
  agent_api agent;
};

struct held_step {
  uint64_t step = 0;
  uint64_t first = 0; // the number of its first record
  std::vector<cluster_event_msg> records;
  std::vector<held_effect> effects;
  std::function<void()> then;
};

struct watcher {
  uint64_t job = 0;
  uint64_t after = 0;
  time_point due;
  caf::typed_response_promise<job_events_msg> answer;
};

struct master_state {
  static inline const char* name = "master";

  master_state() = default;

  master_ports ports;
  std::unique_ptr<master_core> core;
  uint64_t last_step = 0;
  std::deque<held_step> held;
  std::map<std::string, agent_api> agents; // by node
  std::vector<watcher> watchers;
  uint64_t records_since_snapshot = 0;
};

using master_pointer = master_actor::stateful_pointer<master_state>;

void take(master_pointer self, const master_input& input, std::function<void()> then = {},
          std::function<void(const error&)> refuse = {});

void hold(master_pointer self, master_outcome outcome, std::function<void()> then);

// What the core shows may not be durable yet: it is told when it is.
template <class T>
void tell(master_pointer self, caf::typed_response_promise<T> whom, result<T> what) {
  hold(self, {}, [whom, what = std::move(what)]() mutable {
    if (what)
      whom.deliver(std::move(*what));
    else
      whom.deliver(fail(what.error()));
  });
}

template <class T>
caf::result<T> tell(master_pointer self, result<T> what) {
  auto promise = self->make_response_promise<T>();
  tell(self, promise, std::move(what));
  return promise;
}

moment moment_of(master_pointer self) {
  return {self->clock().now(), self->state.ports.time->wall_ns()};
}

void order(master_pointer self, const send_start& x, const agent_api& agent) {
  if (!agent)
    return;
  auto task = *x.order.task;
  self->request(agent, order_deadline, x.order)
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
void order(master_pointer self, const Order& x, const agent_api& agent) {
  if (!agent)
    return;
  // An order that is lost is repeated by the core until a report shows its effect.
  self->request(agent, order_deadline, x.order).then([](const done_msg&) {}, [](caf::error&) {});
}

void order(master_pointer self, const job_news& x, const agent_api&) {
  auto& st = self->state;
  std::erase_if(st.watchers, [&](watcher& each) {
    if (each.job != x.job)
      return false;
    auto news = st.core->events_after(each.job, each.after);
    if (!news || news->events.empty())
      return false;
    tell(self, each.answer, std::move(news));
    return true;
  });
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
  auto sequence = st.ports.log->last_sequence();
  auto bytes = encode_records(st.core->snapshot());
  auto* log = st.ports.log;
  log->save_snapshot(sequence, bytes, [log, sequence](result<void> saved) {
    if (saved)
      log->trim(sequence, [](const result<void>&) {
      }); // refused while the projection is behind: the next one trims
  });
  st.records_since_snapshot = 0;
}

// Logs what a step changed; its effects and its answer come when that is durable.
void hold(master_pointer self, master_outcome outcome, std::function<void()> then) {
  auto& st = self->state;
  held_step step;
  step.step = st.last_step;
  for (auto& effect : outcome.effects)
    step.effects.push_back({effect, agent_for(st, effect)});
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

// A step whose sender waits for `Answer`, made when the step is durable.
template <class Answer, class Make>
caf::result<Answer> take_and_answer(master_pointer self, const master_input& input, Make make) {
  auto promise = self->make_response_promise<Answer>();
  take(
    self, input, [promise, make]() mutable { promise.deliver(make()); },
    [promise](const error& why) mutable { promise.deliver(fail(why)); });
  return promise;
}

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
  auto& st = self->state;
  self->delayed_send(self, tick, caf::tick_atom::value);
  take(self, timer_tick{});
  auto now = self->clock().now();
  std::erase_if(st.watchers, [&](watcher& each) {
    if (each.due > now)
      return false;
    tell(self, each.answer, st.core->events_after(each.job, each.after));
    return true;
  });
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
  return take_and_answer<done_msg>(self, node_reported{who->name, x}, [] { return done_msg{}; });
}

caf::result<job_events_msg> on_watch(master_pointer self, const watch_job_msg& x) {
  auto& st = self->state;
  auto news = st.core->events_after(x.job, x.after);
  if (!news || !news->events.empty())
    return tell(self, std::move(news));
  auto promise = self->make_response_promise<job_events_msg>();
  st.watchers.push_back({x.job, x.after, self->clock().now() + watch_time, promise});
  return promise;
}

caf::result<log_chunk_msg> on_read_log(master_pointer self, const read_log_msg& x) {
  auto& st = self->state;
  auto* job = st.core->find(x.job);
  if (!job)
    return fail(errc::not_found,
                "there is no job " + std::to_string(x.job) + "; list them with: troupe jobs");
  for (auto& task : job->tasks()) {
    if (job->type_of(task).name != x.type || task.index != x.index)
      continue;
    auto agent = st.agents.find(task.node);
    if (agent == st.agents.end())
      return fail(errc::unavailable,
                  "node '" + task.node + "', which has the log, is not connected");
    auto forwarded = x;
    forwarded.attempt = x.attempt != 0 ? x.attempt : job->attempt();
    return self->delegate(agent->second, std::move(forwarded));
  }
  return fail(errc::not_found, "job " + std::to_string(x.job) + " has no task '"
                                 + task_name(x.type, x.index) + "'; see its tasks with: troupe job "
                                 + std::to_string(x.job));
}

cluster_status_msg status_of(const master_state& st) {
  auto status = st.core->status();
  status.pid = static_cast<uint32_t>(::getpid());
  return status;
}

master_actor::behavior_type behavior_of(master_pointer self) {
  self->delayed_send(self, tick, caf::tick_atom::value);
  return {
    [self](const log_written& x) { on_written(self, x); },
    [self](caf::tick_atom) { on_tick(self); },
    [self](const node_link_changed& x) { on_link(self, x); },
    [self](const submit_job_msg& x) -> caf::result<job_accepted_msg> {
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
    },
    [self](const kill_job_msg& x) {
      return take_and_answer<done_msg>(self, x, [] { return done_msg{}; });
    },
    [self](const get_job_msg& x) { return tell(self, self->state.core->job(x.job)); },
    [self](const list_jobs_msg&) {
      return tell(self, result<job_list_msg>{self->state.core->jobs()});
    },
    [self](const watch_job_msg& x) { return on_watch(self, x); },
    [self](const get_cluster_msg&) { return status_of(self->state); },
    [self](const read_log_msg& x) { return on_read_log(self, x); },
    [self](const get_lineage_msg& x) -> caf::result<lineage_msg> {
      auto found = self->state.ports.lineage->show(x.job);
      if (!found)
        return fail(found.error());
      return std::move(*found);
    },
    [self](const drain_node_msg& x) {
      return take_and_answer<done_msg>(self, x, [] { return done_msg{}; });
    },
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
      auto behavior = behavior_of(self);
      hold(self, self->state.core->resume(moment_of(self)), {});
      return behavior;
    });
  return caf::actor_cast<master>(made);
}

} // namespace troupe
