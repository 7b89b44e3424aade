// The shell around master_core, shared by its files: what is held until it is durable, who watches,
// and how a handler takes a step or asks a question. Private to the master.
#pragma once

#include "actors/cluster/archive_reader.hpp"
#include "actors/cluster/master.hpp"
#include "runtime/actor_error.hpp"

#include <caf/all.hpp>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

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

inline constexpr auto order_deadline = std::chrono::seconds(10);

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
  time_point sweep_at{}; // of packages that no job names
  archive_reader reader;
  time_point purge_at{};
};

using master_pointer = master_actor::stateful_pointer<master_state>;

// Logs what a step changed; its effects and `then` come when that is durable.
void hold(master_pointer self, master_outcome outcome, std::function<void()> then);

// A step of the core; one of both is called when it is durable.
void take(master_pointer self, const master_input& input, std::function<void()> then = {},
          std::function<void(const error&)> refuse = {});

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

// A step whose sender waits for `Answer`, made when the step is durable.
template <class Answer, class Make>
caf::result<Answer> take_and_answer(master_pointer self, const master_input& input, Make make) {
  auto promise = self->make_response_promise<Answer>();
  take(
    self, input, [promise, make]() mutable { promise.deliver(make()); },
    [promise](const error& why) mutable { promise.deliver(fail(why)); });
  return promise;
}

inline caf::result<done_msg> take_and_confirm(master_pointer self, const master_input& input) {
  return take_and_answer<done_msg>(self, input, [] { return done_msg{}; });
}

// Questions: none changes anything.
caf::result<job_events_msg> on_watch(master_pointer self, const watch_job_msg& x);
caf::result<log_chunk_msg> on_read_log(master_pointer self, const read_log_msg& x);
caf::result<exec_started_msg> on_exec(master_pointer self, const exec_task_msg& x);
caf::result<exec_news_msg> on_exec_io(master_pointer self, const exec_io_msg& x);
caf::result<job_asked_msg> on_ask(master_pointer self, const ask_job_msg& x);
cluster_status_msg status_of(const master_state& st, const get_cluster_msg& x);
caf::result<job_status_msg> on_get_job(master_pointer self, const get_job_msg& x);
caf::result<job_list_msg> on_list(master_pointer self, const list_jobs_msg& x);
caf::result<job_history_msg> on_history(master_pointer self, const get_history_msg& x);
caf::result<log_chunk_msg> read_old_log(master_pointer self, const read_log_msg& x);

// Purges what has to be kept no longer.
void purge_when_due(master_pointer self);

// Answers those who watch a job that has news, or all whose time is over.
void wake_watchers(master_pointer self, uint64_t job);
void wake_late_watchers(master_pointer self);

} // namespace troupe
