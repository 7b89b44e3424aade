// Unix stream sockets between processes of one host: where they listen, and who is at the other
// end.
//
// Endpoints are paths, "local:/run/troupe/master.sock". The socket's file has mode 0600; a stale
// one is replaced, one that answers is not. Threads: plain functions; the caller owns the
// descriptors that they return, which are closed on exec.
#pragma once

#include "runtime/base/result.hpp"

#include <string>

namespace troupe {

// A listening socket that does not block. errc::already_exists if another process listens there.
result<int> listen_local(const std::string& endpoint);

// Takes the socket's file away.
void unlink_local(const std::string& endpoint);

// A connected socket. errc::unavailable if nobody answers within five seconds.
result<int> connect_local(const std::string& endpoint);

// The user at the other end, such as "uid:0", read from the kernel. errc::refused if it is neither
// the user of this process nor root.
result<std::string> principal_of(int fd);

} // namespace troupe
