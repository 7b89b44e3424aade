// A network of one process: frames between the nodes of a simulation, with seeded faults.
//
//   network net(timeline);
//   sim_transport a(net, "a", 1), b(net, "b", 1);   // name and life of the node
//   b.listen("sim:b");  a.connect("sim:b");         // as with any transport
//
// What it does to frames is worse than transport.hpp allows, so that the bridge's own checks are
// tried: a frame may be dropped, come twice, overtake others, or be held for long. Links are
// numbered from 1 in each life of a node, so a frame that is late by a life arrives on the link
// that has its number now (never before the first frame of that link, which tells the lives). The
// first frames of a link may haunt the next one between other lives of the two, while it is as
// young as they were.
// A callback is never made from inside a call: each is an event of the timeline.
#pragma once

#include "runtime/transport.hpp"
#include "tests/support/sim_timeline.hpp"

#include <set>
#include <vector>

namespace troupe::testing {

struct network_faults {
  double drop = 0;      // of a frame
  double duplicate = 0; // of a frame
  double reorder = 0;   // of a frame: it does not wait for those before it
  double haunt = 0;     // of one of the first frames of a link
  duration delay_min = std::chrono::microseconds(50);
  duration delay_max = std::chrono::milliseconds(2);
  duration late_max = std::chrono::milliseconds(500); // of a copy, and of a reordered frame
  size_t buffer_max = 16 << 20;                       // bytes in flight of a link
};

class sim_transport;

class network {
public:
  explicit network(timeline& time) : time_(time) {}

  // Nothing goes from one to the other; what is on its way is lost too.
  void block(const std::string& from, const std::string& to) { blocked_.insert({from, to}); }
  void unblock(const std::string& from, const std::string& to) { blocked_.erase({from, to}); }

  // What is sent from one to the other arrives at `until` or later.
  void clog(const std::string& from, const std::string& to, time_point until);

  // Ends all faults but the frames that are on their way.
  void heal();

  network_faults faults;
  uint64_t frames = 0; // delivered
  uint64_t strays = 0; // delivered on a link of a later life
  uint64_t lost = 0;

private:
  friend class sim_transport;

  // One side of a link, by its address.
  struct address {
    std::string node;
    uint64_t life = 0;
    link_id link;
  };

  // A frame that a later life of its nodes will meet.
  struct ghost {
    address from;
    address to;
    std::vector<std::byte> bytes;
  };

  bool blocked(const std::string& from, const std::string& to) const {
    return blocked_.contains({from, to});
  }
  sim_transport* find(const std::string& node) const;
  time_point arrival(const std::string& from, const std::string& to);

  void dial(const address& from, const std::string& to);
  void answer_dial(const address& dialer, const address& acceptor, time_point when);
  void send(const address& from, const address& to, frame_view frame);
  void deliver(const address& from, const address& to, const std::vector<std::byte>& frame);
  void haunt(const address& from, const address& to);
  void hang_up(const address& from, const address& to);

  timeline& time_;
  std::map<std::string, sim_transport*> nodes_;
  std::set<std::pair<std::string, std::string>> blocked_;
  std::map<std::pair<std::string, std::string>, time_point> clogs_;
  std::map<std::pair<std::string, std::string>, std::vector<ghost>> ghosts_;
};

class sim_transport final : public transport {
public:
  sim_transport(network& net, std::string node, uint64_t life);
  ~sim_transport() override { cut(false); }

  // The node has crashed: nothing leaves or arrives any more. `told`: its kernel ends its links.
  void cut(bool told);

  // What arrives between these two waits for the second.
  void freeze() { frozen_ = true; }
  void thaw();

  result<void> start(transport_receiver& receiver) override;
  result<std::string> listen(const std::string& endpoint) override;
  result<link_id> connect(const std::string& endpoint) override;
  result<void> send(link_id link, frame_view frame, urgency when) override;
  void close(link_id link) override;
  void stop() override { cut(true); }

private:
  friend class network;

  struct link_side {
    network::address peer;
    bool up = false;
    bool closing = false;
    uint64_t sent = 0;
    uint64_t received = 0;
    size_t in_flight = 0;    // bytes
    time_point last_due{};   // when the newest frame that keeps the order arrives
    time_point not_before{}; // when the other side learns of the link
  };

  link_side* find(link_id link);
  void end(link_id link, const error& reason);
  void call(std::function<void(transport_receiver&)> what);

  network& net_;
  const std::string node_;
  const uint64_t life_;
  transport_receiver* receiver_ = nullptr;
  bool listening_ = false;
  uint64_t last_link_ = 0;
  std::map<link_id, link_side> links_;
  bool frozen_ = false;
  std::vector<std::function<void(transport_receiver&)>> held_;
};

} // namespace troupe::testing
