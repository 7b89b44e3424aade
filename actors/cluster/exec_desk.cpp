#include "actors/cluster/exec_desk.hpp"

#include "actors/jobs/exec_session.hpp"
#include "runtime/actor_error.hpp"
#include "runtime/base/clock.hpp"

#include <caf/all.hpp>

#include <map>
#include <memory>
#include <optional>

namespace troupe {

// A session has news for its client.
struct exec_changed {
  uint64_t session = 0;
};

} // namespace troupe

template <>
struct caf::allowed_unsafe_message_type<troupe::exec_changed> : std::true_type {};

namespace troupe {
namespace {

constexpr auto tick = std::chrono::milliseconds(200);
constexpr auto wait_max = std::chrono::seconds(1);
constexpr auto silence_max = std::chrono::minutes(1);
constexpr size_t sessions_max = 64;

using desk_actor = exec_desk::extend<caf::reacts_to<exec_changed>, caf::reacts_to<caf::tick_atom>>;

// A client that waits for news.
struct waiting_client {
  exec_io_msg asked;
  time_point due;
  caf::typed_response_promise<exec_news_msg> answer;
};

struct open_session {
  std::unique_ptr<exec_session> command;
  time_point heard;
  std::optional<waiting_client> client;
};

struct desk_state {
  static inline const char* name = "exec-desk";

  std::string node;
  std::string program;
  std::string user;
  std::map<uint64_t, open_session> sessions;
};

using desk_pointer = desk_actor::stateful_pointer<desk_state>;

bool has_news(const exec_news_msg& x) {
  return x.ended || !x.output.empty() || !x.errors.empty();
}

void answer(open_session& x, bool late) {
  if (!x.client)
    return;
  auto news = x.command->step(x.client->asked);
  if (!late && !has_news(news))
    return;
  x.client->answer.deliver(std::move(news));
  x.client.reset();
}

caf::result<exec_started_msg> on_task(desk_pointer self, const exec_task_msg& x) {
  auto& st = self->state;
  exec_started_msg started;
  started.node = st.node;
  if (st.sessions.contains(x.session))
    return started;
  if (st.program.empty())
    return fail(errc::unavailable, "node " + st.node + " runs no commands beside its tasks");
  if (x.command.empty())
    return fail(errc::invalid, "no command is given: write it after --");
  if (st.sessions.size() >= sessions_max)
    return fail(errc::unavailable, "node " + st.node + " has " + std::to_string(sessions_max)
                                     + " such commands already: end one first");
  exec_options options{st.program, st.user, static_cast<pid_t>(x.process), x.command, x.terminal};
  auto tell = [me = caf::actor_cast<caf::weak_actor_ptr>(self), id = x.session] {
    if (auto alive = me.lock())
      caf::anon_send(caf::actor_cast<desk_actor>(alive), exec_changed{id});
  };
  auto made = exec_session::start(options, tell);
  if (!made)
    return fail(made.error());
  st.sessions[x.session] = {std::move(*made), self->clock().now(), {}};
  return started;
}

caf::result<exec_news_msg> on_io(desk_pointer self, const exec_io_msg& x) {
  auto& st = self->state;
  auto found = st.sessions.find(x.session);
  if (found == st.sessions.end())
    return fail(errc::not_found, "node " + st.node
                                   + " has no such session any more: its agent started anew, or "
                                     "nobody asked for a minute");
  auto& session = found->second;
  session.heard = self->clock().now();
  if (x.wait)
    answer(session, true); // whoever waited before waits no more
  auto news = session.command->step(x);
  if (!x.wait || has_news(news))
    return news;
  auto promise = self->make_response_promise<exec_news_msg>();
  session.client = waiting_client{x, session.heard + wait_max, promise};
  return promise;
}

void on_tick(desk_pointer self) {
  auto& sessions = self->state.sessions;
  auto now = self->clock().now();
  for (auto i = sessions.begin(); i != sessions.end();) {
    if (i->second.client && now >= i->second.client->due)
      answer(i->second, true);
    i = now - i->second.heard > silence_max ? sessions.erase(i) : std::next(i);
  }
  self->delayed_send(self, tick, caf::tick_atom::value);
}

} // namespace

exec_desk spawn_exec_desk(caf::actor_system& system, std::string node, std::string program,
                          std::string user) {
  auto made
    = system.spawn([node = std::move(node), program = std::move(program),
                    user = std::move(user)](desk_pointer self) -> desk_actor::behavior_type {
        self->state.node = node;
        self->state.program = program;
        self->state.user = user;
        self->delayed_send(self, tick, caf::tick_atom::value);
        return {[self](const exec_changed& x) {
                  auto found = self->state.sessions.find(x.session);
                  if (found != self->state.sessions.end())
                    answer(found->second, false);
                },
                [self](caf::tick_atom) { on_tick(self); },
                [self](const exec_task_msg& x) { return on_task(self, x); },
                [self](const exec_io_msg& x) { return on_io(self, x); }};
      });
  return caf::actor_cast<exec_desk>(made);
}

} // namespace troupe
