#include "tests/support/sim_transport.hpp"

namespace troupe::testing {

namespace {

constexpr std::string_view scheme = "sim:";
constexpr uint64_t haunting_frames = 8; // the first of a link
constexpr auto haunting_time = std::chrono::milliseconds(20);
constexpr auto dial_timeout = std::chrono::milliseconds(500);

} // namespace

void network::clog(const std::string& from, const std::string& to, time_point until) {
  clogs_[{from, to}] = until;
}

void network::heal() {
  faults = {};
  blocked_.clear();
  clogs_.clear();
}

sim_transport* network::find(const std::string& node) const {
  auto i = nodes_.find(node);
  return i != nodes_.end() ? i->second : nullptr;
}

time_point network::arrival(const std::string& from, const std::string& to) {
  auto due = time_.now + time_.between(faults.delay_min, faults.delay_max);
  if (auto i = clogs_.find({from, to}); i != clogs_.end())
    due = std::max(due, i->second);
  return due;
}

void network::dial(const address& from, const std::string& to) {
  auto refuse = [this, from](const char* why) {
    time_.after(dial_timeout, [this, from, why] {
      if (auto* dialer = find(from.node); dialer && dialer->life_ == from.life)
        dialer->end(from.link, {errc::node_lost, why});
    });
  };
  time_.at(arrival(from.node, to), [this, from, to, refuse] {
    auto* acceptor = find(to);
    if (blocked(from.node, to) || !acceptor || !acceptor->listening_)
      return refuse("nobody answers");
    address here{to, acceptor->life_, link_id{++acceptor->last_link_}};
    auto& side = acceptor->links_[here.link];
    side.peer = from;
    side.up = true;
    side.not_before = arrival(to, from.node);
    if (blocked(to, from.node))
      refuse("the answer is lost");
    else
      answer_dial(from, here, side.not_before);
    acceptor->call([link = here.link, who = "key:" + from.node](transport_receiver& to_whom) {
      to_whom.on_link_up(link, true, who);
    });
  });
}

void network::answer_dial(const address& dialer, const address& acceptor, time_point when) {
  time_.at(when, [this, dialer, acceptor] {
    auto* node = find(dialer.node);
    auto* side = node && node->life_ == dialer.life ? node->find(dialer.link) : nullptr;
    if (!side || side->closing)
      return;
    side->peer = acceptor;
    side->up = true;
    node->call([link = dialer.link, who = "key:" + acceptor.node](transport_receiver& to_whom) {
      to_whom.on_link_up(link, false, who);
    });
  });
}

void network::send(const address& from, const address& to, frame_view frame) {
  auto* side = nodes_.at(from.node)->find(from.link);
  if (blocked(from.node, to.node) || time_.random.chance(faults.drop)) {
    ++lost;
    return;
  }
  std::vector<std::byte> bytes{frame.begin(), frame.end()};
  auto late = [&] {
    return std::max(side->not_before, arrival(from.node, to.node))
           + time_.between({}, faults.late_max);
  };
  if (side->sent++ < haunting_frames && time_.random.chance(faults.haunt))
    ghosts_[{from.node, to.node}].push_back({from, to, bytes});
  if (time_.random.chance(faults.duplicate))
    time_.at(late(), [this, from, to, bytes] { deliver(from, to, bytes); });
  auto overtaken = time_.random.chance(faults.reorder);
  auto due = overtaken ? late() : std::max(arrival(from.node, to.node), side->last_due);
  due = std::max(due, side->not_before) + duration{1};
  if (!overtaken)
    side->last_due = due;
  side->in_flight += bytes.size();
  time_.at(due, [this, from, to, bytes] {
    if (auto* node = find(from.node); node && node->life_ == from.life)
      if (auto* sending = node->find(from.link))
        sending->in_flight -= bytes.size();
    deliver(from, to, bytes);
  });
}

void network::deliver(const address& from, const address& to, const std::vector<std::byte>& frame) {
  auto* node = find(to.node);
  auto* side = node ? node->find(to.link) : nullptr;
  if (!side || !side->up || blocked(from.node, to.node) || side->peer.node != from.node) {
    ++lost;
    return;
  }
  auto stray = node->life_ != to.life || side->peer.life != from.life;
  if (stray && side->received == 0)
    return;
  if (!stray && side->peer.link != from.link)
    return;
  ++frames;
  strays += stray ? 1 : 0;
  side->received += stray ? 0 : 1;
  if (!stray && side->received == 1)
    haunt(from, to);
  time_.mix(frame);
  time_.mix(static_cast<uint64_t>(time_.now.time_since_epoch().count()));
  if (node->frozen_)
    node->call([link = to.link, frame](transport_receiver& to_whom) {
      to_whom.on_frame(link, frame, false);
    });
  else
    node->receiver_->on_frame(to.link, frame, false);
}

void network::haunt(const address& from, const address& to) {
  auto& kept = ghosts_[{from.node, to.node}];
  auto of_this_life
    = [&](const ghost& x) { return x.from.life == from.life && x.to.life == to.life; };
  for (auto& each : kept)
    if (!of_this_life(each))
      time_.after(time_.between({}, haunting_time), [this, each, link = to.link] {
        deliver(each.from, {each.to.node, each.to.life, link}, each.bytes);
      });
  std::erase_if(kept, [&](const ghost& x) { return !of_this_life(x); });
}

void network::hang_up(const address& from, const address& to) {
  auto due = arrival(from.node, to.node);
  if (auto* node = find(from.node); node && node->life_ == from.life)
    if (auto* side = node->find(from.link))
      due = std::max(due, side->last_due + duration{1});
  time_.at(due, [this, from, to] {
    auto* node = find(to.node);
    if (!node || node->life_ != to.life || blocked(from.node, to.node))
      return;
    if (auto* side = node->find(to.link); side && side->peer.link == from.link)
      node->end(to.link, {errc::node_lost, "the other side ended the link"});
  });
}

sim_transport::sim_transport(network& net, std::string node, uint64_t life)
  : net_(net), node_(std::move(node)), life_(life) {
  TROUPE_ASSERT(!net_.find(node_));
  net_.nodes_[node_] = this;
}

void sim_transport::cut(bool told) {
  if (net_.find(node_) != this)
    return;
  if (told)
    for (auto& [link, side] : links_)
      if (side.up)
        net_.hang_up({node_, life_, link}, side.peer);
  links_.clear();
  held_.clear();
  net_.nodes_.erase(node_);
}

result<void> sim_transport::start(transport_receiver& receiver) {
  receiver_ = &receiver;
  return {};
}

result<std::string> sim_transport::listen(const std::string& endpoint) {
  TROUPE_ASSERT(endpoint == std::string{scheme} + node_);
  listening_ = true;
  return endpoint;
}

result<link_id> sim_transport::connect(const std::string& endpoint) {
  TROUPE_ASSERT(endpoint.starts_with(scheme) && receiver_);
  link_id link{++last_link_};
  if (net_.find(node_) != this)
    return link;
  auto to = endpoint.substr(scheme.size());
  links_[link].peer.node = to;
  net_.dial({node_, life_, link}, to);
  return link;
}

result<void> sim_transport::send(link_id link, frame_view frame, urgency) {
  auto* side = find(link);
  if (!side || !side->up || side->closing)
    return {errc::node_lost, "the link has ended"};
  if (side->in_flight + frame.size() > net_.faults.buffer_max)
    return {errc::queue_full, "too many bytes wait to be written"};
  net_.send({node_, life_, link}, side->peer, frame);
  return {};
}

void sim_transport::close(link_id link) {
  auto* side = find(link);
  if (!side || side->closing)
    return;
  side->closing = true;
  if (side->up)
    net_.hang_up({node_, life_, link}, side->peer);
  net_.time_.at(net_.time_.now, [&net = net_, node = node_, life = life_, link] {
    if (auto* owner = net.find(node); owner && owner->life_ == life)
      owner->end(link, {errc::aborted, "closed"});
  });
}

sim_transport::link_side* sim_transport::find(link_id link) {
  auto i = links_.find(link);
  return i != links_.end() ? &i->second : nullptr;
}

void sim_transport::end(link_id link, const error& reason) {
  if (links_.erase(link) > 0)
    call([link, reason](transport_receiver& to_whom) { to_whom.on_link_down(link, reason); });
}

void sim_transport::call(std::function<void(transport_receiver&)> what) {
  if (frozen_)
    held_.push_back(std::move(what));
  else
    what(*receiver_);
}

void sim_transport::thaw() {
  frozen_ = false;
  for (auto& each : std::exchange(held_, {}))
    net_.time_.at(net_.time_.now, [&net = net_, node = node_, life = life_, each] {
      if (auto* owner = net.find(node); owner && owner->life_ == life)
        each(*owner->receiver_);
    });
}

} // namespace troupe::testing
