#include "runtime/bridge.hpp"

#include "runtime/actor_error.hpp"
#include "runtime/base/log.hpp"
#include "runtime/remote_actor.hpp"
#include "runtime/trace.hpp"

#include <caf/all.hpp>

#include <shared_mutex>

namespace troupe {

namespace {

constexpr uint32_t protocol_version = 1;

// Actors that a frame woke and that run on the receiving thread.
class inline_unit : public caf::execution_unit {
public:
  explicit inline_unit(caf::actor_system& system) : caf::execution_unit(&system) {}

  void exec_later(caf::resumable* job) override { jobs_.push_back(job); }

  void drain() {
    while (!jobs_.empty()) {
      auto* job = jobs_.front();
      jobs_.pop_front();
      switch (job->resume(this, 50)) {
      case caf::resumable::resume_later:
        system().scheduler().enqueue(job);
        break;
      case caf::resumable::shutdown_execution_unit:
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
        caf::intrusive_ptr_release(job);
        break;
      }
    }
  }

private:
  std::deque<caf::resumable*> jobs_;
};

struct service {
  caf::strong_actor_ptr target;
  std::span<const signature> takes;
  run_on where;
};

// Whether the owner of a proved principal may call itself `name`: a key names its node, and what is
// below it.
bool may_be_called(const std::string& principal, const std::string& name) {
  constexpr std::string_view key = "key:";
  if (name.empty() || name.size() > 255)
    return false;
  if (!principal.starts_with(key))
    return true;
  return name.substr(0, name.find('/')) == std::string_view{principal}.substr(key.size());
}

// A frame of an earlier life of the peer, or for an earlier life of this node.
bool stale(const envelope& in, const peer& who, incarnation here) {
  return in.incarnation() != who.life.value
         || (in.to_incarnation() != 0 && in.to_incarnation() != here.value);
}

void fail_all(std::vector<open_request> requests, const error& reason) {
  for (auto& each : requests)
    each.caller->enqueue(nullptr, each.id.response_id(), caf::make_message(fail(reason)), nullptr);
}

} // namespace

struct bridge::state : std::enable_shared_from_this<state> {
  using link_ptr = std::shared_ptr<peer_link>;
  using link_key = std::pair<transport*, link_id>;

  // What one transport delivers to.
  struct port : transport_receiver {
    port(bridge::state& owner_, transport& t) : owner(owner_), carrier(t), unit(owner_.system) {}

    void on_link_up(link_id link, bool accepted, const std::string& principal) override {
      owner.on_link_up(carrier, link, accepted, principal);
    }
    void on_frame(link_id link, frame_view frame, bool more) override {
      owner.on_frame(*this, link, frame, more);
    }
    void on_link_down(link_id link, const error& reason) override {
      if (auto found = owner.find(carrier, link))
        return owner.end(found, reason);
      // A dial that failed; it is repeated, its reason is told once.
      auto closed = reason.code == errc::aborted;
      if (!closed && std::exchange(dial_failed, reason.text) != reason.text)
        log::warning("no connection", {{"reason", reason.text}});
    }

    bridge::state& owner;
    transport& carrier;
    inline_unit unit;
    std::string dial_failed; // why, as it was told last
  };

  // An endpoint that is dialled whenever no link to it is up.
  struct standing {
    transport* carrier;
    std::string endpoint;
    link_id link;
    time_point next{};
    duration pause{};
  };

  state(caf::actor_system& system_, bridge_options options_, peer_events events_)
    : system(system_), options(std::move(options_)), events(std::move(events_)) {}

  link_ptr find(transport& carrier, link_id link) {
    std::shared_lock guard{mutex};
    auto i = links.find({&carrier, link});
    return i != links.end() ? i->second : nullptr;
  }

  void on_link_up(transport& carrier, link_id id, bool accepted, const std::string& principal);
  void on_frame(port& from, link_id id, frame_view frame, bool more);
  void on_hello(const link_ptr& link, const hello& said);
  void on_reply(const link_ptr& link, const envelope& in, caf::execution_unit* unit);
  void on_message(const link_ptr& link, const envelope& in, inline_unit* unit);
  void end(const link_ptr& link, const error& reason);
  void tick();
  void dial_standing(time_point now);

  caf::actor_system& system;
  const bridge_options options;
  const peer_events events;

  std::shared_mutex mutex; // guards what follows
  std::map<link_key, link_ptr> links;
  std::map<node_id, link_ptr> peers;
  std::map<std::string, service, std::less<>> services;
  std::vector<standing> endpoints;
  std::vector<std::unique_ptr<port>> ports;
  caf::actor timer;
  bool stopped = false;
  bridge_statistics ended; // of the links that are no more
};

void bridge::state::on_link_up(transport& carrier, link_id id, bool accepted,
                               const std::string& principal) {
  auto link = std::make_shared<peer_link>(system, carrier, id, accepted, principal, options);
  caf::actor_config config;
  link->return_path
    = caf::actor_cast<caf::strong_actor_ptr>(caf::make_actor<return_path, caf::actor>(
      system.next_actor_id(), system.node(), &system, config, std::weak_ptr{link}));
  {
    std::unique_lock guard{mutex};
    links.emplace(link_key{&carrier, id}, link);
  }
  hello_msg hello;
  hello.name = options.name;
  hello.node = node_named(options.name).value;
  hello.incarnation = options.life.value;
  hello.protocol = protocol_version;
  link->send_plain(codec_of<hello_msg>, caf::make_message(std::move(hello)));
}

void bridge::state::on_frame(port& from, link_id id, frame_view frame, bool more) {
  auto link = find(from.carrier, id);
  if (!link)
    return;
  auto opened = open_frame(frame);
  if (!opened)
    return end(link, opened.error());
  auto& in = **opened;
  // Not counted: its number belongs to a frame of this life that is still to come.
  if (auto& known = link->who(); known && stale(in, *known, options.life))
    return;
  switch (link->count(in, frame.size())) {
  case peer_link::order::repeated:
    return;
  case peer_link::order::gap:
    return end(link, {errc::node_lost, "frames of the peer were lost on the way"});
  case peer_link::order::next:
    break;
  }
  if (auto* said = in.body_as_hello())
    return on_hello(link, *said);
  auto& who = link->who();
  if (!who)
    return end(link, {errc::corrupt, "the peer did not say hello first"});
  if (in.body_type() == payload::heartbeat || in.body_type() == payload::credit)
    return;
  trace::scope traced{in.trace()};
  auto* unit = more ? nullptr : &from.unit;
  if (in.reply())
    on_reply(link, in, unit);
  else
    on_message(link, in, unit);
  from.unit.drain();
}

void bridge::state::on_hello(const link_ptr& link, const hello& said) {
  if (link->who())
    return end(link, {errc::corrupt, "the peer said hello twice"});
  auto name = said.name() ? said.name()->str() : std::string{};
  if (said.protocol() != protocol_version)
    return end(link,
               {errc::refused, "the peer speaks protocol version " + std::to_string(said.protocol())
                                 + ", this node " + std::to_string(protocol_version)
                                 + "; run the same version on all nodes"});
  if (!may_be_called(link->principal(), name) || said.incarnation() == 0)
    return end(link,
               {errc::refused, "'" + link->principal() + "' may not call itself '" + name + "'"});
  peer who{name, node_named(name), incarnation{said.incarnation()}, link->principal(),
           link->accepted()};
  link_ptr older;
  {
    std::unique_lock guard{mutex};
    auto& slot = peers[who.node];
    if (slot && slot->who()->life > who.life) {
      guard.unlock();
      return end(link, {errc::refused, "a later life of '" + name + "' is connected"});
    }
    older = slot;
    link->introduce(who);
    slot = link;
  }
  if (older)
    end(older, {errc::node_lost, "'" + name + "' connected anew"});
  log::debug("peer up", {{"peer", name}, {"principal", who.principal}, {"life", who.life.value}});
  events.up(who);
}

void bridge::state::on_reply(const link_ptr& link, const envelope& in, caf::execution_unit* unit) {
  auto request = link->take(in.request());
  if (!request)
    return; // answered by its deadline before
  if (request->replies != run_on::receiver)
    unit = nullptr;
  auto id = request->id.response_id();
  if (request->answer && in.body_type() == request->answer->kind) {
    auto element = request->answer->unpack(in.body(), link->return_path, id);
    request->caller->enqueue(std::move(element), unit);
    return;
  }
  error reason{errc::corrupt, "the peer answered with another message than the interface says"};
  if (auto* why = in.body_as_failure()) {
    auto known = why->code() > 0 && why->code() <= static_cast<uint8_t>(errc_last);
    reason = {known ? static_cast<errc>(why->code()) : errc::internal,
              why->text() ? why->text()->str() : ""};
  }
  request->caller->enqueue(nullptr, id, caf::make_message(fail(reason)), unit);
}

void bridge::state::on_message(const link_ptr& link, const envelope& in, inline_unit* unit) {
  auto one_way = in.request() == 0;
  std::string_view name = in.actor() ? in.actor()->string_view() : std::string_view{};
  service found{};
  {
    std::shared_lock guard{mutex};
    if (auto i = services.find(name); i != services.end())
      found = i->second;
  }
  const signature* how = nullptr;
  for (auto& each : found.takes)
    if (each.in->kind == in.body_type())
      how = &each;
  auto bad_number
    = (in.request() & return_path::one_way_bit) != 0 || in.request() >= (uint64_t{1} << 60);
  if (!how || (how->out == nullptr) != one_way || bad_number) {
    if (one_way)
      return link->one_way_handled();
    failure_msg why;
    why.code = static_cast<uint8_t>(errc::no_such_actor);
    why.text = "node '" + options.name + "' has no actor '" + std::string{name}
               + "' that takes this message";
    return link->answer(in.request(), codec_of<failure_msg>, caf::make_message(std::move(why)));
  }
  caf::message_id id{one_way ? return_path::one_way_bit : in.request()};
  auto element = how->in->unpack(in.body(), link->return_path, id.with_normal_priority());
  found.target->enqueue(std::move(element), found.where == run_on::receiver ? unit : nullptr);
}

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
  std::vector<link_ptr> all;
  {
    std::shared_lock guard{mutex};
    for (auto& [key, link] : links)
      all.push_back(link);
  }
  auto now = system.scheduler().clock().now();
  for (auto& link : all) {
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
