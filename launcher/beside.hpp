// `troupe-executor --beside PROCESS [--user NAME] [--terminal] -- COMMAND...`: becomes the command,
// as one more process of the task that PROCESS belongs to: as its user, in its environment,
// directory, cores and limits. With a terminal, descriptor 0 becomes that of its session.
//
// The agent starts it (exec_session.hpp), not people.
#pragma once

namespace troupe::launcher {

inline constexpr auto beside_option = "--beside";

// Does not return when the command runs. 126: it may not be executed, or this process may not
// become one of the task's; 127: there is no such command.
int run_beside(int argc, char** argv);

} // namespace troupe::launcher
