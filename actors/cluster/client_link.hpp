// How a program reaches the actors of a cluster's master process.
//
// A master that dies is back in a moment: ask() then asks the next one the same, until the
// deadline, so what is asked has to be safe to repeat.
// Errors: errc::unavailable when no cluster answers; the actor's own, as they were. Threads: any
// uses it once it is open. ask() blocks until its answer or deadline: never call it in an actor.
#pragma once

#include "runtime/actor_error.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/bridge.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <memory>
#include <string>

namespace troupe {

class client_link {
public:
  // `directory`: of the cluster, where its master listens. A call is answered, or has failed,
  // within `deadline`.
  client_link(const std::string& directory, duration deadline);
  ~client_link();

  client_link(const client_link&) = delete;
  client_link& operator=(const client_link&) = delete;

  result<void> open(duration patience);

  // A handle to an actor of the master's process by the name that it is published under.
  template <class Api>
  Api actor(const std::string& name) {
    return wire().proxy<Api>(node_named("master"), name, {deadline(), run_on::receiver});
  }

  template <class Api, class Answer, class Request>
  result<Answer> ask(const std::string& name, const Request& request) {
    auto end = now() + deadline();
    while (reach(end)) {
      auto got = ask_once<Api, Answer>(name, request);
      if (got || got.error().code != errc::node_lost)
        return got;
    }
    return silent();
  }

  // Asks the master that is there now. errc::node_lost: whether it did it is open.
  template <class Api, class Answer, class Request>
  result<Answer> ask_once(const std::string& name, Request request) {
    caf::scoped_actor self{system()};
    result<Answer> got{errc::internal, "the master answered nothing"};
    self->request(actor<Api>(name), deadline() + std::chrono::seconds(1), std::move(request))
      .receive([&](Answer& answer) { got = std::move(answer); },
               [&](const caf::error& why) { got = reason_of(why); });
    return got;
  }

  caf::actor_system& system();
  duration deadline() const;

private:
  struct state;

  bridge& wire();
  time_point now() const;
  bool reach(time_point end);
  error silent() const;

  std::unique_ptr<state> state_;
};

} // namespace troupe
