// The part of the loop that serves the links that others dialled.
#include "runtime/base/log.hpp"
#include "runtime/zmq_loop.hpp"

namespace troupe {

using zeromq::event;

namespace {

constexpr int messages_per_turn = 256; // then the other sockets have theirs

error lost() {
  return {errc::node_lost, "the connection was lost; connect again"};
}

} // namespace

void zmq_loop::read_server() {
  if (!server_)
    return;
  read_server_events();
  zeromq::message route;
  zeromq::message body;
  for (int i = 0; i < messages_per_turn; ++i) {
    if (!server_->socket.receive(route)) {
      for (auto id : std::exchange(gone_, {})) {
        end(id, lost(), false);
        forget(id);
      }
      return;
    }
    auto id = route.bytes();
    bool whole = route.more() && server_->socket.receive(body);
    if (whole)
      from_peer({reinterpret_cast<const char*>(id.data()), id.size()}, body);
    while (whole && body.more() && server_->socket.receive(body)) {
    }
  }
}

void zmq_loop::read_server_events() {
  while (auto what = server_->monitor.next()) {
    if (what->what == event::accepted)
      connections_.insert(what->connection);
    if (what->what != event::gone)
      continue;
    connections_.erase(what->connection);
    if (auto found = by_connection_.find(what->connection); found != by_connection_.end()) {
      gone_.insert(found->second);
      by_connection_.erase(found);
    }
  }
}

void zmq_loop::from_peer(const std::string& route, zeromq::message& body) {
  auto found = by_route_.find(route);
  if (found != by_route_.end() && links_.at(found->second).connection != body.connection()) {
    auto old = found->second; // the same routing id over another connection
    end(old, lost(), false);
    forget(old);
    found = by_route_.end();
  }
  if (found == by_route_.end())
    return welcome(route, body);
  auto id = found->second;
  if (links_.at(id).ended)
    return;
  if (body.more())
    return end(id, {errc::corrupt, "the peer sent a message of several parts"}, true);
  if (body.bytes().empty())
    return end(id, error{errc::node_lost, "the peer closed the link; connect again"}, false);
  deliver(id, body.bytes(), server_->socket.readable());
}

// The first message of a connection. Its descriptor may have belonged to another before, so what
// happened to connections until now is read first.
void zmq_loop::welcome(const std::string& route, zeromq::message& body) {
  auto connection = body.connection();
  read_server_events();
  if (!connections_.contains(connection) || links_.size() >= 2 * limits::links_max)
    return;
  if (auto old = by_connection_.find(connection); old != by_connection_.end()) {
    auto id = old->second;
    end(id, lost(), false);
    forget(id);
  }
  auto id = link_id{last_link_.fetch_add(1) + 1};
  auto& link = links_[id];
  link.route = route;
  link.connection = connection;
  by_route_.emplace(route, id);
  by_connection_.emplace(connection, id);
  auto user = body.user();
  bool valid = body.bytes().empty() && !body.more() && !user.empty();
  if (!valid || !outboxes_.open(id)) {
    log::warning("a link was refused",
                 {{"key", user}, {"reason", valid ? "too many links" : "no greeting"}});
    return end(id, {errc::refused, "the link was refused"}, true);
  }
  link.up = true;
  receiver_.on_link_up(id, true, "key:" + user);
}

} // namespace troupe
