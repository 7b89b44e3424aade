#include "runtime/actor_error.hpp"
#include "runtime/bridge_state.hpp"
#include "runtime/trace.hpp"

namespace troupe {

namespace {

constexpr uint32_t protocol_version = 1;

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

} // namespace

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
  if (in.body_type() == payload::heartbeat && link->accepted())
    link->beat();
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

} // namespace troupe
