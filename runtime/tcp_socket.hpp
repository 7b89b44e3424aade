// TCP sockets that never block for longer than they may. Addresses are HOST:PORT, or [HOST]:PORT.
// Threads: plain functions; a socket belongs to one thread, but for shutdown(). The caller owns the
// descriptors that they return, which do not block and are closed on exec.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <string>
#include <string_view>

namespace troupe {

// A listening socket. A port of 0 is left to the kernel; port_of() tells it. errc::invalid,
// errc::io, with how to mend it.
result<int> listen_tcp(const std::string& address);

// A connected socket. errc::unavailable: nobody answers there in time.
result<int> connect_tcp(const std::string& address, time_point until);

std::string port_of(int socket);

// Whether the call that just failed, by errno, would only have had to wait.
bool would_block();

// Waits for `events` of poll(2); false when they did not come in time.
bool wait_for(int socket, short events, time_point until);

// Sends all of it; false: the peer is gone, or took too long.
bool send_all(int socket, std::string_view bytes, duration patience);

// Appends what has come, at most 64 KiB, waiting for it; false: there is nothing more, or it took
// too long.
bool receive_some(int socket, std::string& to, duration patience);

} // namespace troupe
