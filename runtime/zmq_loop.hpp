// The thread of the ZeroMQ transport: it holds every socket, and tells the receiver.
//
// Threads: made by any thread, then used by one.
#pragma once

#include "runtime/outbox.hpp"
#include "runtime/transport.hpp"
#include "runtime/zap.hpp"
#include "runtime/zmq_socket.hpp"
#include "runtime/zmq_transport.hpp"

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe {

// One link. A dialled one owns its socket; an accepted one is a routing id of the server socket.
struct zmq_link {
  zeromq::socket socket;
  zeromq::monitor monitor; // after the socket: it goes first
  std::string route;
  std::string endpoint;
  int connection = -1;
  bool up = false;
  bool gone = false;  // dialled only: the connection is, but what it brought is not read yet
  bool ended = false; // accepted only: told to go, and ignored until its connection is gone
  bool bye_waits = false;
  std::vector<std::byte> unsent; // a batch that the connection did not take yet

  bool dialled() const { return static_cast<bool>(socket); }
};

class zmq_loop {
public:
  struct server {
    zeromq::socket socket;
    zeromq::monitor monitor;
  };

  // What other threads want.
  struct orders {
    std::optional<server> listen;
    std::vector<std::pair<link_id, zmq_link>> connect;
    std::vector<link_id> close;
    bool stop = false;
  };

  // `wake`: a descriptor that is readable when there are orders, or something to send.
  zmq_loop(const zmq_options& options, zap_handler zap, outboxes& waiting,
           std::atomic<uint64_t>& last_link, transport_receiver& receiver, int wake);

  // Does what can be done now.
  void turn(orders now);

  // Waits until there is something to do.
  void wait();

  // Takes leave of every peer. The receiver is told nothing.
  void end_all();

private:
  void flush(link_id id);
  void finish_sending();
  zeromq::sent send_on(zmq_link& link, std::span<const std::byte> bytes);
  void read_dialled();
  void read_dialled(link_id id, zmq_link& link);
  bool dialled_event(link_id id, zmq_link& link, zeromq::event what);
  void read_server();
  void read_server_events();
  void from_peer(const std::string& route, zeromq::message& body);
  void welcome(const std::string& route, zeromq::message& body);
  bool deliver(link_id id, std::span<const std::byte> batch, bool more);
  void end(link_id id, const error& reason, bool say_bye);
  void forget(link_id id);

  const zmq_options& options_;
  zap_handler zap_;
  outboxes& outboxes_;
  std::atomic<uint64_t>& last_link_;
  transport_receiver& receiver_;
  int wake_;
  std::optional<server> server_;
  std::map<link_id, zmq_link> links_;
  std::unordered_map<std::string, link_id> by_route_;
  std::unordered_map<int, link_id> by_connection_;
  std::set<int> connections_; // of the server, let in or not
  std::set<link_id> gone_;    // accepted, and their connection is gone
  std::set<link_id> blocked_; // have something to send that was not taken
  std::vector<uint64_t> aligned_;
};

} // namespace troupe
