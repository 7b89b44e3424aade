// A role: its messages, its decision as a plain function, and the actor around it.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <caf/typed_actor.hpp>

namespace troupe::examples {

// Messages: a ping carries a name; the pong carries the greeting and how many were given so far.
using greeter = caf::typed_actor<caf::replies_to<ping_msg>::with<pong_msg>>;

// Decision: what to say. errc::invalid when there is no name.
result<std::string> greeting_for(const std::string& name);

// Shell: receives, asks the decision, answers.
greeter::behavior_type greeter_actor(greeter::pointer);

} // namespace troupe::examples
