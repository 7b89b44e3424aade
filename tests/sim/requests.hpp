// The workload "requests through chaos": callers on some nodes ask workers on others through the
// bridge while everything fails, and a ledger outside of the nodes checks what comes of it.
//
// Invariants
// - A message is handled only in the life of the node it was sent to, at most once, and in the
//   order of its sender; one-way messages leave no gap while their proxy lives.
// - Every request of a living caller ends once, at most a tick after its deadline, with the answer
//   to it or with an error that says why.
// - The proxies over a link end with it.
// - When the faults end, every caller gets every request answered.
#pragma once

#include "tests/support/sim_world.hpp"

#include <set>

namespace troupe::testing {

// What is known about everything that was sent.
class ledger {
public:
  explicit ledger(sim_world& world) : world_(world) {}

  // A proxy, from its creation to its DOWN.
  struct proxy_record {
    proxy_record(const sim_node& here, const peer& there, duration limit)
      : from(here.name), from_life(here.life), to(there.name), to_life(there.life.value),
        deadline(limit) {}

    // The same two nodes, before anything was sent.
    void renew() {
      sent = handled = notes_sent = notes_handled = answered = 0;
      link_ended = down = false;
    }

    std::string from;
    uint64_t from_life;
    std::string to;
    uint64_t to_life;
    duration deadline;
    uint64_t sent = 0;    // messages
    uint64_t handled = 0; // the number of the last message that was
    uint64_t notes_sent = 0;
    uint64_t notes_handled = 0;
    uint64_t answered = 0; // since the faults ended
    bool link_ended = false;
    bool down = false;
  };

  uint64_t open_session(proxy_record opened);
  proxy_record& at(uint64_t number) { return sessions_.at(number - 1); }
  uint64_t open_session_of(const std::string& from, const std::string& to) const;

  // At the sender; return the number to send.
  uint64_t asks(uint64_t session);
  uint64_t notes(uint64_t session);

  // At the receiver.
  void handles_request(const sim_node& here, uint64_t number);
  void handles_note(const sim_node& here, uint64_t number);

  // At the sender again. `outcome`: errc::ok for an answer.
  void ends(uint64_t request, uint64_t answer, errc outcome);

  void link_ended(const std::string& from, const std::string& to);
  void proxy_down(uint64_t session) { at(session).down = true; }

  // From now on every request must be answered.
  void expect_success() { strict_ = true; }
  bool strict() const { return strict_; }

  // After the run: nothing is open.
  void check_closed();

private:
  struct message_record {
    uint64_t session;
    uint64_t order; // in its session
    bool request;
    time_point sent;
    bool strict;
    uint32_t handled;
    uint32_t ended;
  };

  uint64_t add(uint64_t session, bool request);
  message_record& handle(const sim_node& here, uint64_t number);
  void violated(uint64_t number, const std::string& what);
  bool current(const std::string& node, uint64_t life) const;

  sim_world& world_;
  std::vector<proxy_record> sessions_;
  std::vector<message_record> messages_;
  bool strict_ = false;
};

// Runs the workload with a seed, adds what is wrong to `violations`, and returns the log's hash.
uint64_t requests_through_chaos(uint64_t seed, std::vector<std::string>& violations);

} // namespace troupe::testing
