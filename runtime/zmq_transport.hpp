// Links between hosts, over TCP with CURVE: encrypted, and each side knows the key of the other.
//
// Endpoints are ZeroMQ's, "tcp://127.0.0.1:7700"; port 0 takes a free one. The principal of a link
// is "key:NAME": the name of the peer's key in the list of keys.hpp, which is read again when it
// changes. A link is one connection: it ends with it, and is never mended behind the caller's back.
// A peer that vanishes without a word (a cut cable) is noticed by whoever sends heartbeats.
//
// One ZeroMQ message is a batch of frames (framing.hpp); an empty one opens a link, and later ends
// it.
// Limits: limits.hpp, and one listen() per transport. A handshake has 10 s, what waits at close()
// or stop() 1 s.
// Threads: one of its own, which holds all sockets and calls the receiver; send() hands over to it,
// for either urgency, as ZeroMQ's sockets are not safe to share.
#pragma once

#include "runtime/transport.hpp"

#include <memory>
#include <string>

namespace troupe {

struct zmq_options {
  std::string directory;         // the cluster's, with its keys (keys.hpp)
  std::string key;               // the name of our own key
  std::string server = "master"; // the name of the key of those we connect to
};

// start() answers errc::not_found or errc::refused if the keys cannot be used.
std::unique_ptr<transport> make_zmq_transport(zmq_options options);

} // namespace troupe
