#include "tests/sim/requests.hpp"

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

const auto grain = bridge_options{}.tick + 1ms;

} // namespace

uint64_t ledger::open_session(proxy_record opened) {
  for (auto& each : sessions_)
    if (each.from == opened.from && each.from_life == opened.from_life && each.to == opened.to
        && !each.link_ended)
      world_.violated(opened.from + " has a new link to " + opened.to
                      + " before the old one ended");
  sessions_.push_back(std::move(opened));
  return sessions_.size();
}

uint64_t ledger::open_session_of(const std::string& from, const std::string& to) const {
  for (auto i = sessions_.size(); i > 0; --i) {
    auto& each = sessions_[i - 1];
    if (each.from == from && each.to == to && !each.down && current(from, each.from_life)
        && current(to, each.to_life))
      return i;
  }
  return 0;
}

bool ledger::current(const std::string& node, uint64_t life) const {
  auto* found = world_.find(node);
  return found && found->life == life;
}

uint64_t ledger::add(uint64_t session, bool request) {
  messages_.push_back({session, ++at(session).sent, request, world_.time.now, strict_, 0, 0});
  return messages_.size();
}

uint64_t ledger::asks(uint64_t session) {
  return add(session, true);
}

uint64_t ledger::notes(uint64_t session) {
  ++at(session).notes_sent;
  return add(session, false);
}

void ledger::violated(uint64_t number, const std::string& what) {
  auto& message = messages_[number - 1];
  auto& from = at(message.session);
  world_.violated((message.request ? "request " : "note ") + std::to_string(number) + " of "
                  + from.from + " (life " + std::to_string(from.from_life) + ") to " + from.to
                  + " (life " + std::to_string(from.to_life) + ") " + what);
}

ledger::message_record& ledger::handle(const sim_node& here, uint64_t number) {
  TROUPE_ASSERT(number >= 1 && number <= messages_.size());
  auto& message = messages_[number - 1];
  auto& from = at(message.session);
  if (here.name != from.to || here.life != from.to_life)
    violated(number, "is handled on " + here.name + " in life " + std::to_string(here.life));
  if (++message.handled > 1)
    violated(number, "is handled again");
  else if (message.order <= from.handled)
    violated(number, "is handled after a later one");
  from.handled = std::max(from.handled, message.order);
  return message;
}

void ledger::handles_request(const sim_node& here, uint64_t number) {
  handle(here, number);
}

void ledger::handles_note(const sim_node& here, uint64_t number) {
  auto& message = handle(here, number);
  ++at(message.session).notes_handled;
}

void ledger::ends(uint64_t request, uint64_t answer, errc outcome) {
  auto& message = messages_[request - 1];
  auto& from = at(message.session);
  if (++message.ended > 1)
    violated(request, "ends again");
  if (world_.time.now > message.sent + from.deadline + grain)
    violated(request, "ends long after its deadline, with " + std::string{name_of(outcome)});
  auto known = outcome == errc::ok || outcome == errc::invalid || outcome == errc::deadline
               || outcome == errc::node_lost || outcome == errc::queue_full;
  if (!known)
    violated(request, "ends with " + std::string{name_of(outcome)});
  if (outcome == errc::ok && answer != request)
    violated(request, "gets the answer to " + std::to_string(answer));
  if (outcome == errc::ok && message.handled != 1)
    violated(request, "is answered but was not handled");
  if (message.strict && outcome != errc::ok)
    violated(request, "fails though all is well, with " + std::string{name_of(outcome)});
  if (message.strict)
    ++from.answered;
}

void ledger::link_ended(const std::string& from, const std::string& to) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    auto& each = sessions_[i];
    if (each.from != from || each.to != to || each.link_ended || !current(from, each.from_life))
      continue;
    each.link_ended = true;
    world_.time.after(1ms, [this, i] {
      auto& ended = sessions_[i];
      if (!ended.down && current(ended.from, ended.from_life))
        world_.violated("the proxy of " + ended.from + " for " + ended.to
                        + " lives on without its link");
    });
  }
}

void ledger::check_closed() {
  for (size_t i = 0; i < messages_.size(); ++i) {
    auto& message = messages_[i];
    auto& from = at(message.session);
    if (message.request && message.ended == 0 && current(from.from, from.from_life)
        && world_.time.now > message.sent + from.deadline + grain)
      violated(i + 1, "never ends");
    auto lives = !from.down && !from.link_ended && current(from.from, from.from_life)
                 && current(from.to, from.to_life);
    if (!message.request && message.handled == 0 && lives && world_.time.now > message.sent + 1s)
      violated(i + 1, "never arrives");
  }
}

} // namespace troupe::testing
