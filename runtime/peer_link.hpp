// One link of a bridge: its sequence of frames, credits, and the requests in flight over it.
// Threads: any thread sends; one thread at a time receives (see transport.hpp).
#pragma once

#include "runtime/bridge.hpp"
#include "runtime/transport.hpp"

#include <caf/actor_control_block.hpp>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

namespace troupe {

// A request that waits for its answer.
struct open_request {
  caf::strong_actor_ptr caller;
  caf::message_id id;
  const message_codec* answer;
  time_point due;
  run_on replies;
};

class peer_link {
public:
  peer_link(caf::actor_system& system, transport& carrier, link_id id, bool accepted,
            std::string principal, const bridge_options& options);

  // Set by the bridge when the peer's hello has come.
  void introduce(peer who);
  const std::optional<peer>& who() const { return who_; } // stable once set; the receiving thread's

  // ---- sending; any thread ----

  // Sends a message of a local actor. A request is kept until its answer comes.
  result<void> send(const std::string& actor, const signature& how,
                    const caf::mailbox_element& what, const proxy_options& options);

  // Answers a request of the peer.
  void answer(uint64_t request, const message_codec& codec, const caf::type_erased_tuple& content);

  // Sends a message between the bridges themselves.
  void send_plain(const message_codec& codec, const caf::message& content);

  // Says that this node lives, and how many one-way messages of the peer it has handled.
  void beat();

  // A one-way message of the peer has been handled.
  void one_way_handled();

  // ---- receiving; the receiving thread ----

  enum class order { next, repeated, gap };

  // Checks and counts a frame, and takes the credit it brings.
  order count(const envelope& frame, size_t bytes);

  // The request that a reply answers, if it still waits.
  std::optional<open_request> take(uint64_t request);

  // ---- time and death ----

  // False: on_tick() would do nothing, and the peer is not silent. Takes no lock: it is asked of
  // thousands of idle links at each tick.
  bool due(time_point now) const;

  // What the passing of time asks for: heartbeats go out, requests that are overdue are returned.
  std::vector<open_request> on_tick(time_point now);

  time_point last_heard() const;
  bool silent(time_point now) const;

  // Ends the link once; returns the requests that were open, or nothing when it had ended before.
  std::optional<std::vector<open_request>> end(const error& reason);

  // Proxies over this link, which die with it. False when the link has ended.
  bool add_proxy(const caf::strong_actor_ptr& proxy);
  std::vector<caf::strong_actor_ptr> proxies();

  // Adds what this link has carried and what is open on it.
  void add_to(bridge_statistics& total);

  transport& carrier() const { return carrier_; }
  link_id id() const { return id_; }
  bool accepted() const { return accepted_; }
  const std::string& principal() const { return principal_; }
  time_point now() const;

  caf::strong_actor_ptr return_path; // the sender of every message that came over this link

private:
  struct held_frame {
    std::vector<std::byte> bytes;
    urgency when;
    bool one_way;
  };

  bool beats_locked(time_point now) const;
  envelope_head head_locked() const;
  result<void> dispatch_locked(frame_view frame, urgency when, bool one_way);
  result<void> write_locked(std::span<std::byte> frame, urgency when);
  void release_held_locked();

  caf::actor_system& system_;
  transport& carrier_;
  const link_id id_;
  const bool accepted_;
  const std::string principal_;
  const bridge_options& options_;
  std::optional<peer> who_;

  std::mutex mutex_; // guards what follows
  std::optional<error> ended_;
  uint64_t sent_ = 0; // frames
  uint64_t sent_bytes_ = 0;
  uint64_t received_bytes_ = 0;
  uint64_t last_request_ = 0;
  uint64_t one_way_sent_ = 0;
  uint64_t one_way_credit_; // how many one-way messages may have been sent in all
  time_point last_sent_{};
  uint64_t to_life_ = 0;
  std::map<uint64_t, open_request> open_;
  std::deque<held_frame> held_;
  size_t held_bytes_ = 0;
  std::vector<caf::weak_actor_ptr> proxies_;

  std::atomic<bool> waits_ = false;        // open_ or held_ may have something
  std::atomic<uint64_t> handled_told_ = 0; // written under the mutex
  std::atomic<uint64_t> received_ = 0;     // written by the receiving thread
  std::atomic<int64_t> last_heard_ns_;
  std::atomic<uint64_t> handled_ = 0; // one-way messages of the peer
};

} // namespace troupe
