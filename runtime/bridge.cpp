#include "runtime/bridge.hpp"

#include "runtime/actor_error.hpp"
#include "runtime/bridge_state.hpp"

namespace troupe {

namespace {

void fail_all(std::vector<open_request> requests, const error& reason) {
  for (auto& each : requests)
    each.caller->enqueue(nullptr, each.id.response_id(), caf::make_message(fail(reason)), nullptr);
}

} // namespace

void bridge::state::end(const link_ptr& link, const error& reason) {
  auto open = link->end(reason);
  if (!open)
    return;
  {
    std::unique_lock guard{mutex};
    if (links.erase({&link->carrier(), link->id()}) != 0)
      link->add_to(ended);
    ended.links_lost += reason.code != errc::aborted ? 1 : 0;
    if (auto& who = link->who())
      if (auto i = peers.find(who->node); i != peers.end() && i->second == link)
        peers.erase(i);
  }
  error lost{errc::node_lost, reason.text};
  if (reason.code == errc::aborted)
    lost.code = errc::aborted;
  fail_all(std::move(*open), lost);
  for (auto& proxy : link->proxies())
    static_cast<caf::actor_proxy*>(proxy->get())->kill_proxy(nullptr, fail(lost));
  static_cast<caf::actor_proxy*>(link->return_path->get())->kill_proxy(nullptr, fail(lost));
  link->carrier().close(link->id());
  if (auto& who = link->who()) {
    log::debug("peer down", {{"peer", who->name}, {"reason", reason.text}});
    events.down(*who, reason);
  } else if (reason.code != errc::aborted) {
    log::warning("a link ended before its peer was known", {{"reason", reason.text}});
  }
}

void bridge::state::tick() {
  auto now = system.scheduler().clock().now();
  std::vector<link_ptr> due; // few of thousands that are idle
  {
    std::shared_lock guard{mutex};
    for (auto& [key, link] : links)
      if (link->due(now))
        due.push_back(link);
  }
  for (auto& link : due) {
    fail_all(link->on_tick(now), {errc::deadline, "no answer in time"});
    if (link->silent(now))
      end(link, {errc::deadline, "the peer was silent for too long"});
  }
  dial_standing(now);
}

void bridge::state::dial_standing(time_point now) {
  std::unique_lock guard{mutex};
  for (auto& each : endpoints) {
    if (each.link && links.contains({each.carrier, each.link})) {
      each.pause = {};
      continue;
    }
    if (now < each.next)
      continue;
    // The first pause gives a link time to come up; it doubles while nobody answers.
    each.pause
      = each.pause == duration{} ? 2 * options.tick : std::min(2 * each.pause, options.redial_max);
    each.next = now + each.pause;
    auto carrier = each.carrier;
    auto endpoint = each.endpoint;
    guard.unlock();
    auto made = carrier->connect(endpoint);
    guard.lock();
    each.link = made ? *made : link_id{};
  }
}

bridge::bridge(caf::actor_system& system, bridge_options options, peer_events events)
  : state_(std::make_shared<state>(system, std::move(options), std::move(events))) {
  TROUPE_ASSERT(!state_->options.name.empty() && state_->options.life);
  auto beat
    = [](caf::event_based_actor* self, std::weak_ptr<state> weak, duration tick) -> caf::behavior {
    self->delayed_send(self, tick, caf::tick_atom::value);
    return {[=](caf::tick_atom) {
      auto alive = weak.lock();
      if (!alive)
        return self->quit();
      alive->tick();
      self->delayed_send(self, tick, caf::tick_atom::value);
    }};
  };
  state_->timer
    = system.spawn<caf::hidden>(beat, std::weak_ptr<state>{state_}, state_->options.tick);
}

bridge::~bridge() {
  stop();
}

result<void> bridge::attach(transport& t) {
  std::unique_lock guard{state_->mutex};
  auto& made = state_->ports.emplace_back(std::make_unique<state::port>(*state_, t));
  auto& receiver = *made;
  guard.unlock();
  return t.start(receiver);
}

result<link_id> bridge::dial(transport& t, const std::string& endpoint) {
  return t.connect(endpoint);
}

void bridge::keep_connected(transport& t, const std::string& endpoint) {
  {
    std::unique_lock guard{state_->mutex};
    state_->endpoints.push_back({&t, endpoint, {}, {}, {}});
  }
  state_->dial_standing(state_->system.scheduler().clock().now());
}

void bridge::publish(std::string name, caf::strong_actor_ptr target,
                     std::span<const signature> takes, run_on where) {
  for (auto& each : takes)
    if (each.out)
      register_answer(*each.out);
  std::unique_lock guard{state_->mutex};
  state_->services.insert_or_assign(std::move(name), service{std::move(target), takes, where});
}

caf::strong_actor_ptr bridge::make_proxy(node_id node, std::string name,
                                         std::span<const signature> takes, proxy_options options) {
  state::link_ptr link;
  {
    std::shared_lock guard{state_->mutex};
    if (auto i = state_->peers.find(node); i != state_->peers.end())
      link = i->second;
  }
  caf::actor_config config;
  auto made = caf::actor_cast<caf::strong_actor_ptr>(caf::make_actor<remote_actor, caf::actor>(
    state_->system.next_actor_id(), state_->system.node(), &state_->system, config, link,
    std::move(name), takes, options));
  if (!link || !link->add_proxy(made))
    static_cast<caf::actor_proxy*>(made->get())
      ->kill_proxy(nullptr, fail(errc::node_lost, "no connection to the node"));
  return made;
}

void bridge::disconnect(node_id node) {
  state::link_ptr link;
  {
    std::shared_lock guard{state_->mutex};
    if (auto i = state_->peers.find(node); i != state_->peers.end())
      link = i->second;
  }
  if (link)
    state_->end(link, {errc::aborted, "disconnected"});
}

bridge_statistics bridge::statistics() const {
  std::shared_lock guard{state_->mutex};
  auto total = state_->ended;
  total.links = state_->links.size();
  for (auto& [key, link] : state_->links)
    link->add_to(total);
  return total;
}

void bridge::stop() {
  std::vector<state::link_ptr> all;
  {
    std::unique_lock guard{state_->mutex};
    if (std::exchange(state_->stopped, true))
      return;
    state_->endpoints.clear();
    for (auto& [key, link] : state_->links)
      all.push_back(link);
  }
  caf::anon_send_exit(state_->timer, caf::exit_reason::kill);
  for (auto& link : all)
    state_->end(link, {errc::aborted, "this node stops"});
  for (auto& each : state_->ports)
    each->carrier.stop();
  std::unique_lock guard{state_->mutex};
  state_->services.clear();
  state_->timer = nullptr;
}

} // namespace troupe
