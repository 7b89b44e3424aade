// Frames between processes. A transport owns links; a link is one connection with one other
// process.
//
//   bridge --send(link, frame)--> transport ~~~~> transport --on_frame(link, frame)--> bridge
//
// Guarantees of every transport
// - Frames of a link arrive whole, in order and unchanged, or the link ends; nothing is lost
// silently.
// - on_link_up comes before the first frame of a link, on_link_down after the last one, each once.
// - The principal of a link is proved before on_link_up: the user of the other process (local), or
// the owner of its
//   key (ZeroMQ). A peer that proves nothing, or sends what is no frame, is cut off; the others
//   notice nothing.
// - send() never blocks: beyond limits::link_buffer_max bytes that wait it answers
// errc::queue_full. Threads: every method may be called from any thread; the receiver is called
// from one thread at a time.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace troupe {

using frame_view = std::span<const std::byte>; // aligned to 8 bytes

class transport_receiver {
public:
  virtual ~transport_receiver() = default;

  // `accepted`: the other side dialled. `principal`: who it is, such as "uid:0" or "key:node-1".
  virtual void on_link_up(link_id link, bool accepted, const std::string& principal) = 0;

  // `more`: further frames wait and follow at once, so work that may be deferred should be.
  virtual void on_frame(link_id link, frame_view frame, bool more) = 0;

  virtual void on_link_down(link_id link, const error& reason) = 0;
};

enum class urgency {
  now,  // written before send() returns where the socket takes it: requests and replies
  soon, // may wait for others to be written together with it: one-way messages
};

class transport {
public:
  virtual ~transport() = default;

  // Starts to deliver. Called once, before anything else.
  virtual result<void> start(transport_receiver& receiver) = 0;

  // Accepts links at `endpoint`; returns it with what was left open (a port) filled in.
  virtual result<std::string> listen(const std::string& endpoint) = 0;

  // Opens a link; on_link_up or on_link_down tells how it went.
  virtual result<link_id> connect(const std::string& endpoint) = 0;

  virtual result<void> send(link_id link, frame_view frame, urgency when) = 0;

  // Ends a link. Its on_link_down comes later, with errc::aborted.
  virtual void close(link_id link) = 0;

  // Ends all links and delivers no more. Called once, last; not from the receiver.
  virtual void stop() = 0;
};

} // namespace troupe
