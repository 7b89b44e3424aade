// Links between processes of one host, over unix stream sockets.
//
// Endpoints are paths, "local:/run/troupe/master.sock". The principal of a link is "uid:N", read
// from the kernel; only the user of this process and root are let in. The socket file has mode
// 0600; a stale one is replaced, one that answers is not. Threads: one of its own, which reads, and
// writes what had to wait. send() writes on the caller's thread.
#pragma once

#include "runtime/transport.hpp"

#include <memory>

namespace troupe {

std::unique_ptr<transport> make_local_transport();

} // namespace troupe
