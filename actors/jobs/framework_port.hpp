// The port of a task, so that it belongs to the task before anybody is told of it.
//
// - troupe, mpi: a listening socket at `host`; the command inherits it, but for the chief's of mpi.
// - Other frameworks bind the port themselves: it is bound here, at all addresses and never
//   listening, until the command has ended. The kernel gives it to nobody who asks for any port,
//   and lets a socket with SO_REUSEADDR or SO_REUSEPORT (this user's) bind it by its number. A
//   program that sets neither is told EADDRINUSE. Why: docs/adr/0009.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>

namespace troupe {

struct task_port {
  owned_fd socket; // closed when a program is executed
  uint16_t number = 0;
};

// `host` is an IPv4 address of this machine. errc::invalid or errc::io, with how to mend it.
result<task_port> open_task_port(framework kind, const std::string& host);

} // namespace troupe
