#include "actors/lineage/subscribers.hpp"

#include "actors/lineage/record_messages.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr uint64_t place_lag_max = 10'000; // changes that a restart reads for nothing

record_change_kind message_of(storage::change_kind x) {
  return static_cast<record_change_kind>(x);
}

} // namespace

subscribers::subscribers(view_source look)
  : look_(std::move(look)),
    feed_(
      [this](const std::string& name, const storage::told_change& what) {
        all_.at(name).told.push_back(what);
        told_.insert(name);
      },
      [this](const std::string& name, const error& reason) { complain(name, reason); }) {}

bool subscribers::acknowledges(const next_changes_msg& x) const {
  auto found = all_.find(x.subscription);
  // Of one that is not attached the record knows the place; said again it changes nothing.
  if (found == all_.end())
    return x.sequence != 0;
  return !found->second.told.empty()
         && found->second.told.front().at < storage::change_place{x.sequence, x.index};
}

result<subscribers::all_subscribers::iterator> subscribers::attached(const std::string& name) {
  if (auto found = all_.find(name); found != all_.end())
    return found;
  auto kept = look_().subscription_named(name);
  if (!kept)
    return kept.error();
  if (!*kept)
    return {errc::not_found, "there is no subscription " + name + "; subscribe first"};
  TROUPE_TRY(feed_.attach(**kept));
  subscriber made;
  made.acknowledged = (*kept)->next;
  made.kind = (*kept)->kind;
  made.filter = (*kept)->filter;
  auto added = all_.emplace(name, std::move(made)).first;
  feed_.grant(name, unacknowledged_max);
  return added;
}

void subscribers::acknowledge(const std::string& name, subscriber& x,
                              storage::change_place before) {
  uint64_t taken = 0;
  for (; !x.told.empty() && x.told.front().at < before; ++taken)
    x.told.pop_front();
  x.acknowledged = std::max(x.acknowledged, before);
  feed_.grant(name, taken);
}

bool subscribers::poll(const next_changes_msg& x, time_point now, answer then) {
  auto found = attached(x.subscription);
  if (!found) {
    then(found.error());
    return false;
  }
  auto& [name, who] = **found;
  if (who.waiting)
    std::exchange(who.waiting, {})(error{
      errc::aborted, "the subscription " + name
                       + " is polled from elsewhere now; choose another name, or one watcher"});
  acknowledge(name, who, {x.sequence, x.index});
  who.asked = now;
  who.limit = std::max(x.limit, 1u);
  who.waiting = std::move(then);
  who.waits = x.wait;
  if (!who.told.empty())
    reply(name, who);
  return catch_up();
}

void subscribers::reply(const std::string& name, subscriber& x) {
  if (!x.waiting)
    return;
  record_changes_msg out;
  auto in = look_();
  size_t bytes = 0;
  auto place = feed_.place_of(name).value_or(x.acknowledged);
  for (const auto& each : x.told) {
    auto node = message_of(*each.now, in.types());
    bytes += bytes_of(*node);
    if (out.changes.size() == x.limit || (bytes > answer_bytes_max && !out.changes.empty())) {
      place = each.at;
      break;
    }
    out.changes.push_back(std::make_unique<told_change_msg>());
    out.changes.back()->sequence = each.at.sequence;
    out.changes.back()->index = each.at.index;
    out.changes.back()->what = message_of(each.what);
    out.changes.back()->now = std::move(node);
  }
  out.sequence = place.sequence;
  out.index = place.index;
  std::exchange(x.waiting, {})(std::move(out));
}

void subscribers::reply_to_told() {
  for (const auto& name : std::exchange(told_, {}))
    if (auto found = all_.find(name); found != all_.end())
      reply(name, found->second);
}

// What cannot be told to it, its poll is answered with; the next one tries again.
void subscribers::complain(const std::string& name, const error& reason) {
  auto& who = all_.at(name);
  if (who.waiting)
    std::exchange(who.waiting, {})(reason);
}

void subscribers::forget(const std::string& name) {
  auto found = all_.extract(name);
  if (!found)
    return;
  feed_.detach(name);
  if (auto& waiting = found.mapped().waiting)
    waiting(error{errc::not_found, "the subscription " + name + " was removed"});
}

void subscribers::changed(uint64_t sequence, const storage::change_record& what) {
  feed_.changed(look_(), sequence, what);
  reply_to_told();
}

bool subscribers::catch_up() {
  auto more = feed_.catch_up(look_());
  reply_to_told();
  if (more && *more)
    return true;
  for (auto& [name, each] : all_)
    if (!each.waits)
      reply(name, each);
  return false;
}

std::vector<storage::subscription_put> subscribers::expire(time_point now) {
  std::vector<storage::subscription_put> out;
  for (auto at = all_.begin(); at != all_.end();) {
    auto& [name, who] = *at;
    if (who.waiting && now - who.asked >= poll_time)
      reply(name, who);
    auto place = feed_.place_of(name);
    if (place && who.told.empty() && place->sequence > who.acknowledged.sequence + place_lag_max) {
      who.acknowledged = *place;
      out.push_back(
        {storage::subscription_step::acknowledge, {name, who.kind, who.filter, *place}});
    }
    if (now - who.asked >= forgotten_after) {
      feed_.detach(name);
      at = all_.erase(at);
    } else {
      ++at;
    }
  }
  return out;
}

} // namespace troupe
