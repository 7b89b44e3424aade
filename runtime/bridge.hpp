// A remote actor as a local typed handle.
//
//   actor --request--> proxy --frame--> [transport] --frame--> bridge --request--> actor
//     ^                                                                              |
//     +---- response ---- bridge <--frame-- [transport] <--frame-- return path <-----+
//
//   publish<worker>(bridge, "worker", handle);               // serving side
//   auto w = bridge.proxy<worker>(node, "worker", {300ms});  // asking side: an ordinary handle
//
// Guarantees
// - A message is delivered at most once, and those of one caller to one actor in the order they
//   were sent.
// - A request is answered: by the actor; or with errc::deadline, at most `tick` after the proxy's
//   deadline; or with errc::node_lost when the link ends; or with errc::queue_full when
//   limits::requests_in_flight_max are open.
// - A one-way message waits when limits::one_way_window are not handled yet; beyond
//   limits::held_bytes_max that wait, the link ends. Nothing is dropped without the proxy's DOWN.
// - A gap in the sequence of frames, silence beyond `silence_max`, or a newer life of the node ends
//   the link: every proxy over it is DOWN with errc::node_lost. A new link never revives an old
//   proxy.
// - A frame of an earlier life, of either side, is never delivered.
//
// Threads: every method may be called from any thread. A proxy packs and sends on the caller's
// thread.
#pragma once

#include "runtime/codec.hpp"

#include <caf/actor_system.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace troupe {

struct bridge_options {
  std::string name;    // of this node; a client's is unique to its process
  incarnation life{1}; // of this node: greater at each start
  // Who dialled sets the pace of a link: that side beats, the other answers.
  duration heartbeat = std::chrono::milliseconds(250);
  duration silence_max = std::chrono::milliseconds(1500); // several heartbeats of who dials
  duration tick
    = std::chrono::milliseconds(100); // the grain of deadlines, heartbeats and reconnecting
  duration redial_max
    = std::chrono::seconds(2); // the longest pause between two tries of keep_connected
};

// Another process, as it introduced itself.
struct peer {
  std::string name;
  node_id node;
  incarnation life;
  std::string principal; // see transport.hpp
  bool accepted = false; // it dialled us
};

// Since the bridge was made, and now.
struct bridge_statistics {
  uint64_t links = 0;
  uint64_t links_lost = 0;
  uint64_t requests_open = 0;
  uint64_t held_bytes = 0;
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

struct peer_events {
  std::function<void(const peer&)> up = [](const peer&) {};
  // errc::deadline: the peer was silent for too long; errc::aborted: this side ended the link;
  // otherwise the link broke.
  std::function<void(const peer&, const error&)> down = [](const peer&, const error&) {};
};

// Where an actor runs that a frame wakes up.
enum class run_on {
  pool,     // the scheduler's threads
  receiver, // the receiving thread, when no further frame waits: two thread hops fewer. Never for
            // actors that block
};

struct proxy_options {
  duration deadline = std::chrono::seconds(5);
  run_on replies = run_on::pool;
};

// Who sent the message that an actor handles now (its current sender); nothing if it came from this
// process.
std::optional<peer> sender_of(const caf::strong_actor_ptr& sender);

class bridge {
public:
  // `system` and every attached transport outlive the bridge.
  bridge(caf::actor_system& system, bridge_options options, peer_events events = {});
  ~bridge();

  bridge(const bridge&) = delete;
  bridge& operator=(const bridge&) = delete;

  // Starts `t` with this bridge as its receiver.
  result<void> attach(transport& t);

  // Opens one link; peer_events tell how it went.
  result<link_id> dial(transport& t, const std::string& endpoint);

  // Dials `endpoint` again and again, with growing pauses, whenever no link to it is up.
  void keep_connected(transport& t, const std::string& endpoint);

  // Lets other nodes send the messages of `Interface` to `target` under `name`.
  template <class Interface>
  void publish(std::string name, const Interface& target, run_on where = run_on::pool) {
    publish(std::move(name), caf::actor_cast<caf::strong_actor_ptr>(target),
            signatures_of<Interface>(), where);
  }

  // A handle to the actor `name` of `node`; it is DOWN at once when no link to the node is up.
  template <class Handle>
  Handle proxy(node_id node, std::string name, proxy_options options = {}) {
    return caf::actor_cast<Handle>(
      make_proxy(node, std::move(name), signatures_of<Handle>(), options));
  }

  // Ends the link to a node that misbehaves.
  void disconnect(node_id node);

  bridge_statistics statistics() const;

  // Ends all links and every proxy; answers what is open with errc::aborted. The transports are
  // stopped.
  void stop();

private:
  void publish(std::string name, caf::strong_actor_ptr target, std::span<const signature> takes,
               run_on where);
  caf::strong_actor_ptr make_proxy(node_id node, std::string name, std::span<const signature> takes,
                                   proxy_options options);

  struct state;
  std::shared_ptr<state> state_;
};

} // namespace troupe
