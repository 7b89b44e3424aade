#include "actors/jobs/task_shell.hpp"

#include "runtime/actor_error.hpp"
#include "runtime/base/log.hpp"

#include <caf/all.hpp>

#include <cstdio>

namespace troupe {

namespace {

// `1.5`, `90`: no zeros behind.
std::string shortest(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

struct shell_state {
  static inline const char* name = "task_executor";

  std::shared_ptr<surroundings> around;
  agent_executor_api agent; // for registering: its answer may take minutes
  agent_executor_api reports;
  bool connected = false;
  bool start_ordered = false;
  bool report_open = false; // a report waits for its answer
  bool changed = false;     // the state changed behind the open report
  bool done = false;
  bool gone = false;         // the command has ended, but not how it is told
  bool late = false;         // the command ran longer than it may
  bool asked_to_end = false; // by stop(): then nobody may be left to acknowledge the exit
  task_state state = task_state::registered;
  uint32_t generation = 0;  // that the command knows
  bool awaits_next = false; // a request for a later one is open
  std::optional<task_exit> ended;
  std::shared_ptr<const task_file_uses> files;
  pid_t process = 0;        // of the command, once it was started
  time_point alone_since{}; // no agent, or none that acknowledged the exit

  bool over() const { return ended.has_value(); }

  std::unique_ptr<task_id_msg> id() const {
    auto out = std::make_unique<task_id_msg>();
    out->job = around->options.job;
    out->attempt = around->options.attempt;
    out->type = around->options.type;
    out->index = around->options.index;
    return out;
  }

  executor_register_msg registration() const {
    executor_register_msg out;
    out.task = id();
    out.pid = static_cast<uint32_t>(around->process);
    out.host = around->options.host;
    out.port = around->port;
    out.generation = generation;
    return out;
  }

  executor_report_msg report() const {
    executor_report_msg out;
    out.process = ended || gone ? 0 : static_cast<uint32_t>(process);
    out.report = std::make_unique<task_report_msg>();
    auto& in = *out.report;
    in.task = id();
    in.state = state;
    in.host = around->options.host;
    in.port = around->port;
    in.ui_port = around->ui_port();
    in.generation = generation;
    in.awaits_next
      = around->awaited().value_or(0) >= generation && around->awaited() && !ended && !gone;
    if (ended) {
      in.exit_code = ended->code;
      in.reason = ended->reason;
      in.cause = ended->out_of_memory ? exit_class::out_of_memory
                 : ended->no_start    ? exit_class::infrastructure
                                      : exit_class::user_error;
      if (files) {
        auto named = bounded_copy(files->all, files->left_out);
        in.files = std::move(named.all);
        in.files_left_out = named.left_out;
      }
    }
    for (auto& [what, latest] : around->metrics()) {
      auto metric = std::make_unique<metric_msg>();
      metric->name = what;
      metric->value = latest.value;
      metric->step = latest.step;
      in.progress.push_back(std::move(metric));
    }
    return out;
  }
};

using shell = caf::stateful_actor<shell_state>;

void finish(shell* self) {
  if (std::exchange(self->state.done, true))
    return;
  self->state.around->finish(self->state.ended->code);
  self->quit();
}

void on_orders(shell* self, const executor_orders_msg& in);
void on_generation(shell* self, const cluster_spec_msg& spec);
void await_generation(shell* self);
void on_ended(shell* self, task_exit how, std::shared_ptr<const task_file_uses> files = {});

void stop_task(shell* self, duration grace, const std::string& why) {
  auto& st = self->state;
  if (st.over())
    return;
  log::info("stopping the task", {{"reason", why}});
  if (st.start_ordered)
    return st.around->stop(grace);
  on_ended(self, {exit_of_stopped, true, "the task was stopped before it started: " + why, false});
}

// An agent that refuses knows a later attempt, which must not meet this one.
void on_refused(shell* self, const error& why) {
  stop_task(self, duration{}, why.text);
  if (self->state.over())
    finish(self);
}

void send_report(shell* self) {
  auto& st = self->state;
  if (!st.connected || st.done)
    return;
  if (st.report_open) {
    st.changed = true;
    return;
  }
  st.report_open = true;
  st.changed = false;
  auto last_word = st.over();
  auto settle = [self] {
    self->state.report_open = false;
    if (self->state.changed)
      send_report(self);
  };
  self->request(st.reports, std::chrono::seconds(30), st.report())
    .then(
      [=](const executor_orders_msg& in) {
        self->state.alone_since = self->clock().now();
        if (last_word)
          return finish(self);
        on_orders(self, in);
        settle();
      },
      [=](const caf::error& e) {
        auto why = reason_of(e);
        if (why.code == errc::refused)
          on_refused(self, why);
        settle(); // any other: the next tick, or the next link, repeats it
      });
}

void send_registration(shell* self) {
  auto& st = self->state;
  if (!st.connected || st.done || st.over())
    return;
  auto link = st.agent.address();
  self->request(st.agent, st.around->options.register_deadline * 2, st.registration())
    .then([=](const executor_orders_msg& in) { on_orders(self, in); },
          [=](const caf::error& e) {
            auto why = reason_of(e);
            if (why.code == errc::refused)
              return on_refused(self, why);
            auto& now = self->state;
            if (!now.connected || now.agent.address() != link || now.start_ordered)
              return; // the next link registers
            // The agent is there but does not serve yet, or the gang is still incomplete.
            self->delayed_send(self, now.around->options.report_every, link_changed{true});
          });
}

void on_orders(shell* self, const executor_orders_msg& in) {
  auto& st = self->state;
  for (auto each : in.requests)
    st.around->request(each, in.level);
  if (in.stop)
    return stop_task(self, duration{static_cast<int64_t>(in.grace_ns)}, "ordered by the agent");
  if (!in.spec || st.over())
    return;
  if (st.start_ordered)
    return on_generation(self, *in.spec);
  st.start_ordered = true;
  st.generation = in.spec->generation;
  st.around->start(*in.spec);
  if (in.spec->regroups)
    await_generation(self);
}

// A command that has not come to run yet gets its members by its environment, and later ones here.
void on_generation(shell* self, const cluster_spec_msg& spec) {
  auto& st = self->state;
  if (spec.generation <= st.generation || !st.around->tell_generation(spec))
    return;
  st.generation = spec.generation;
  send_report(self);
}

// The agent answers when there is one: it would be late with a heartbeat.
void await_generation(shell* self) {
  auto& st = self->state;
  if (!st.connected || st.over() || std::exchange(st.awaits_next, true))
    return;
  auto again = [self] {
    self->state.awaits_next = false;
    self->delayed_send(self, self->state.around->options.report_every, generation_wanted{});
  };
  auto wanted = st.registration();
  wanted.awaits_next = true;
  self->request(st.agent, st.around->options.register_deadline, wanted)
    .then(
      [=](const executor_orders_msg& in) {
        auto before = self->state.generation;
        on_orders(self, in);
        if (self->state.generation == before)
          return again(); // an agent that does not know how to wait
        self->state.awaits_next = false;
        await_generation(self);
      },
      [=](const caf::error&) { again(); });
}

void on_link(shell* self, bool up) {
  auto& st = self->state;
  st.connected = up;
  if (!up)
    return;
  st.agent = st.around->agent(st.around->options.register_deadline);
  st.reports = st.around->agent(std::chrono::seconds(5));
  send_registration(self);
  send_report(self);
}

void on_started(shell* self, pid_t process) {
  self->state.process = process;
  auto limit = self->state.around->options.timeout;
  if (limit > duration{})
    self->delayed_send(self, limit, time_is_up{});
  self->state.state = task_state::running;
  send_report(self);
}

void on_time_is_up(shell* self) {
  if (self->state.gone)
    return; // in time
  self->state.late = !self->state.over();
  stop_task(self, self->state.around->options.stop_grace, "it ran longer than its time-out");
}

void on_ended(shell* self, task_exit how, std::shared_ptr<const task_file_uses> files) {
  auto& st = self->state;
  if (st.over())
    return;
  if (st.late) {
    auto limit = std::chrono::duration<double>(st.around->options.timeout).count();
    how = {exit_of_late, false, "ran longer than its time-out of " + shortest(limit) + " s", false};
  }
  st.state = how.stopped     ? task_state::killed
             : how.code == 0 ? task_state::succeeded
                             : task_state::failed;
  st.alone_since = self->clock().now();
  st.ended = std::move(how);
  st.files = std::move(files);
  send_report(self);
}

void on_tick(shell* self) {
  auto& st = self->state;
  auto& options = st.around->options;
  auto patience = st.over() && st.asked_to_end
                    ? std::min(options.last_word_timeout, options.orphan_timeout)
                    : options.orphan_timeout;
  auto orphan = self->clock().now() - st.alone_since > patience;
  if (orphan && st.over())
    return finish(self);
  if (orphan)
    stop_task(self, options.stop_grace, "no agent answered for the orphan timeout");
  if (!st.report_open)
    send_report(self);
  self->delayed_send(self, options.report_every, caf::tick_atom::value);
}

caf::behavior task_shell(shell* self, std::shared_ptr<surroundings> around) {
  auto& st = self->state;
  st.around = std::move(around);
  st.alone_since = self->clock().now();
  self->delayed_send(self, st.around->options.report_every, caf::tick_atom::value);
  return {
    [self](const link_changed& in) { on_link(self, in.up); },
    [self](const command_started& in) { on_started(self, in.process); },
    [self](const command_gone&) { self->state.gone = true; },
    [self](const command_ended& in) { on_ended(self, in.how, in.files); },
    [self](const time_is_up&) { on_time_is_up(self); },
    [self](const generation_wanted&) { await_generation(self); },
    [self](const stop_wanted&) {
      self->state.asked_to_end = true;
      stop_task(self, self->state.around->options.stop_grace, "the executor was asked to end");
    },
    [self](caf::tick_atom) { on_tick(self); },
  };
}

} // namespace

caf::actor spawn_task_shell(caf::actor_system& system, std::shared_ptr<surroundings> around) {
  return system.spawn(task_shell, std::move(around));
}

} // namespace troupe
