// One question to the desk of a cluster's bundles, and its answer.
// Threads: from any. It blocks.
#pragma once

#include "actors/lineage/bundle_client.hpp"
#include "runtime/actor_error.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

namespace troupe {

// A master that was lost is asked again when it is back.
template <class Answer, class Request>
result<Answer> ask(const desk_access& desk, const Request& request) {
  constexpr auto longer = std::chrono::seconds(1); // than the bridge waits
  system_clock time;
  auto end = time.now() + desk.deadline;
  while (true) {
    auto to = desk.reach();
    if (!to)
      return to.error();
    caf::scoped_actor self{*desk.system};
    result<Answer> got{errc::internal, "the cluster answered nothing"};
    self->request(*to, desk.deadline + longer, Request{request})
      .receive([&](Answer& answer) { got = std::move(answer); },
               [&](const caf::error& why) { got = reason_of(why); });
    if (got || got.error().code != errc::node_lost || time.now() > end)
      return got;
  }
}

} // namespace troupe
