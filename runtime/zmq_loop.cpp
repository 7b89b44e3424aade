#include "runtime/zmq_loop.hpp"

#include "runtime/framing.hpp"

#include <cstring>

namespace troupe {

using zeromq::event;
using zeromq::sent;

namespace {

constexpr int retry_ms = 1; // a full connection of a ROUTER cannot be waited for
constexpr int batches_per_turn = 256;
constexpr int messages_per_turn = 256; // then the other sockets have theirs

error lost(const char* why) {
  return {errc::node_lost, std::string{why} + "; connect again"};
}

} // namespace

zmq_loop::zmq_loop(const zmq_options& options, zap_handler zap, outboxes& waiting,
                   std::atomic<uint64_t>& last_link, transport_receiver& receiver, int wake)
  : options_(options), zap_(std::move(zap)), outboxes_(waiting), last_link_(last_link),
    receiver_(receiver), wake_(wake) {}

void zmq_loop::turn(orders now) {
  if (now.listen)
    server_ = std::move(now.listen);
  for (auto& [id, link] : now.connect)
    links_.emplace(id, std::move(link));
  for (auto id : now.close) {
    flush(id);
    end(id, {errc::aborted, "the link was closed by this side"}, true);
  }
  for (auto id : outboxes_.take_ready())
    flush(id);
  finish_sending();
  zap_.serve();
  read_server();
  read_dialled();
}

void zmq_loop::wait() {
  std::vector<zeromq::socket*> sockets{&zap_.socket()};
  if (server_) {
    sockets.push_back(&server_->socket);
    sockets.push_back(&server_->monitor.events());
  }
  for (auto& [id, link] : links_)
    if (link.dialled()) {
      sockets.push_back(&link.socket);
      sockets.push_back(&link.monitor.events());
    }
  zeromq::poll(wake_, sockets, !gone_.empty() ? 0 : blocked_.empty() ? -1 : retry_ms);
}

sent zmq_loop::send_on(zmq_link& link, std::span<const std::byte> bytes) {
  if (link.dialled())
    return link.socket.send(bytes);
  auto head = server_->socket.send(std::as_bytes(std::span{link.route}), true);
  return head == sent::yes ? server_->socket.send(bytes) : head;
}

void zmq_loop::flush(link_id id) {
  auto found = links_.find(id);
  if (found == links_.end() || !found->second.up || found->second.ended)
    return;
  auto& link = found->second;
  blocked_.erase(id);
  for (int i = 0; i < batches_per_turn; ++i) {
    if (link.unsent.empty()) {
      auto next = outboxes_.pop(id);
      if (!next)
        return;
      link.unsent = std::move(*next);
    }
    auto outcome = send_on(link, link.unsent);
    if (outcome == sent::gone)
      return end(id, lost("the peer is gone"), false);
    if (outcome == sent::full)
      break;
    link.unsent.clear();
  }
  blocked_.insert(id);
}

void zmq_loop::finish_sending() {
  for (auto id : std::vector<link_id>{blocked_.begin(), blocked_.end()}) {
    auto found = links_.find(id);
    if (found == links_.end() || !found->second.bye_waits)
      flush(id);
    else if (send_on(found->second, {}) != sent::full) {
      found->second.bye_waits = false;
      blocked_.erase(id);
    }
  }
}

// ---- links that we dialled

void zmq_loop::read_dialled() {
  std::vector<link_id> ids;
  for (auto& [id, link] : links_)
    if (link.dialled())
      ids.push_back(id);
  for (auto id : ids)
    if (auto found = links_.find(id); found != links_.end())
      read_dialled(id, found->second);
}

void zmq_loop::read_dialled(link_id id, zmq_link& link) {
  while (auto what = link.monitor.next())
    if (!dialled_event(id, link, *what))
      return;
  zeromq::message batch;
  for (int i = 0; i < messages_per_turn || link.gone; ++i) {
    if (!link.socket.receive(batch)) {
      if (link.gone)
        end(id, lost("the connection was lost"), false);
      return;
    }
    if (batch.more())
      return end(id, {errc::corrupt, "the server sent a message of several parts"}, true);
    if (batch.bytes().empty())
      return end(id, lost("the peer closed the link"), false);
    if (!deliver(id, batch.bytes(), link.socket.readable()))
      return;
  }
}

// False: the link has ended.
bool zmq_loop::dialled_event(link_id id, zmq_link& link, event what) {
  if (what.what == event::ready && !link.up) {
    link.up = true;
    send_on(link, {});
    receiver_.on_link_up(id, false, "key:" + options_.server);
    flush(id);
    return links_.contains(id);
  }
  if (what.what == event::accepted || what.what == event::ready)
    return true;
  if (link.up) {
    link.gone = true;
    return true;
  }
  if (what.what == event::refused)
    end(id,
        {errc::refused, "'" + link.endpoint + "' did not let key '" + options_.key + "' in; put "
                          + options_.key + ".public into its keys/authorized"},
        false);
  else
    end(id,
        {errc::unavailable, "no link to '" + link.endpoint
                              + "': nobody listens there, or its key is not that of '"
                              + options_.server + "'; check both"},
        false);
  return false;
}

// ---- both

// False: the link has ended.
bool zmq_loop::deliver(link_id id, std::span<const std::byte> batch, bool more) {
  if (reinterpret_cast<uintptr_t>(batch.data()) % alignof(uint64_t) != 0) {
    aligned_.resize((batch.size() + 7) / 8);
    std::memcpy(aligned_.data(), batch.data(), batch.size());
    batch = std::as_bytes(std::span{aligned_}).first(batch.size());
  }
  while (!batch.empty()) {
    auto size = framing::first_frame(batch);
    if (!size || *size == 0 || *size > batch.size()) {
      end(id, size ? error{errc::corrupt, "the peer sent a batch that is cut off"} : size.error(),
          true);
      return false;
    }
    receiver_.on_frame(id, framing::payload_of(batch), more || *size < batch.size());
    batch = batch.subspan(*size);
  }
  return true;
}

void zmq_loop::end(link_id id, const error& reason, bool say_bye) {
  auto found = links_.find(id);
  if (found == links_.end() || found->second.ended)
    return;
  auto& link = found->second;
  bool known = link.up || link.dialled();
  link.ended = true;
  link.unsent.clear();
  outboxes_.close(id);
  blocked_.erase(id);
  if (link.dialled()) {
    if (link.up)
      link.socket.send({});
    links_.erase(found);
  } else if (say_bye && send_on(link, {}) == sent::full) {
    link.bye_waits = true;
    blocked_.insert(id);
  }
  if (known)
    receiver_.on_link_down(id, reason);
}

// Removes what is left of an accepted link that has ended.
void zmq_loop::forget(link_id id) {
  auto found = links_.find(id);
  if (found == links_.end())
    return;
  by_route_.erase(found->second.route);
  if (auto old = by_connection_.find(found->second.connection);
      old != by_connection_.end() && old->second == id)
    by_connection_.erase(old);
  blocked_.erase(id);
  gone_.erase(id);
  links_.erase(found);
}

void zmq_loop::end_all() {
  for (auto& [id, link] : links_) {
    flush(id);
    outboxes_.close(id);
    if (link.up && !link.ended)
      send_on(link, {});
  }
  links_.clear();
  server_.reset();
}

} // namespace troupe
