// The commands that people run beside the tasks of a node (exec_session.hpp), by session.
//
// Guarantees: one session, one command, however often it is asked for; a session whose client is
// silent for a minute is ended, and so are all with the agent. At most 64 at a time.
// Supervised by: its agent, with which it ends.
#pragma once

#include "runtime/protocol/messages.hpp"

#include <caf/typed_actor.hpp>

#include <string>

namespace troupe {

// exec_io is answered when there is something new, and within a second.
using exec_desk = caf::typed_actor<caf::replies_to<exec_task_msg>::with<exec_started_msg>,
                                   caf::replies_to<exec_io_msg>::with<exec_news_msg>>;

// `program`: troupe-executor; empty: this node runs no such commands.
// `program`, `user`: those of exec_options.
exec_desk spawn_exec_desk(caf::actor_system& system, std::string node, std::string program,
                          std::string user);

} // namespace troupe
