#include "storage/event_log.hpp"

#include "runtime/base/log.hpp"
#include "storage/record.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr std::string_view event_prefix = "e";
constexpr std::string_view events_end = "f"; // behind the key of every event
constexpr std::string_view snapshot_key = "s";
constexpr std::string_view part_prefix = "n";
constexpr std::string_view trim_key = "t";
constexpr std::string_view projection_key = "p";

std::string event_key(uint64_t sequence) {
  return std::string(event_prefix).append(big_endian(sequence));
}

// The number of a key of an event; 0 where it is none.
uint64_t sequence_of(std::string_view key) {
  return key.size() == 9 ? from_big_endian(key.substr(1)) : 0;
}

std::string mark(std::string_view key, uint64_t sequence) {
  field_writer out;
  out.number(sequence);
  return seal(key, out.take());
}

result<uint64_t> read_mark(const reader& from, std::string_view key) {
  auto value = from.get(key);
  if (!value)
    return value.error();
  if (!*value)
    return uint64_t{0};
  auto payload = unseal(key, **value);
  if (!payload)
    return payload.error();
  field_reader fields(*payload);
  auto sequence = fields.number();
  if (!fields.whole())
    return {errc::corrupt, "a mark of the event log has a wrong size; restore it from a copy"};
  return sequence;
}

error gap(uint64_t expected, uint64_t found) {
  return {errc::corrupt, "the event log has number " + std::to_string(found) + " where "
                           + std::to_string(expected) + " belongs; restore it from a copy"};
}

} // namespace

result<uint64_t> projection_mark(const reader& from) {
  return read_mark(from, projection_key);
}

void put_projection_mark(batch& into, uint64_t sequence) {
  into.put(std::string(projection_key), mark(projection_key, sequence));
}

result<std::unique_ptr<event_log>> event_log::open(store& target, committer& writer) {
  std::unique_ptr<event_log> log(new event_log(target, writer));
  TROUPE_TRY(log->recover());
  return log;
}

result<void> event_log::recover() {
  auto covered = snapshot_sequence();
  auto projected = projection_mark(store_);
  auto removed = trimmed();
  for (const auto* x : {&covered, &projected, &removed})
    if (!*x)
      return x->error();
  auto needed = std::max({*covered, *projected, *removed});
  last_ = *removed;
  uint64_t first_bad = 0;
  error bad;    // of the first bad record
  error damage; // what no torn write leaves behind
  TROUPE_TRY(store_.scan(event_prefix, "", no_limit, [&](auto key, auto value) {
    auto sequence = sequence_of(key);
    auto payload = unseal(key, value);
    if (payload && first_bad == 0 && sequence == last_ + 1)
      last_ = sequence;
    else if (payload) // a good record behind a bad or a missing one
      damage = first_bad != 0 ? bad : gap(last_ + 1, sequence);
    else if (payload.error().code != errc::corrupt // of a newer version: whole, and not ours
             || sequence == 0)                     // no torn write makes such a key
      damage = payload.error();
    else if (first_bad == 0) {
      first_bad = sequence;
      bad = payload.error();
    }
    return damage.code == errc::ok;
  }));
  if (damage.code == errc::ok && last_ < needed)
    damage = first_bad != 0 ? bad : gap(last_ + 1, needed);
  if (damage.code != errc::ok)
    return damage;
  if (first_bad == 0)
    return {};
  log::warning("removed a torn end of the event log",
               {{"first", first_bad}, {"last_good", last_}, {"why", bad.text}});
  batch repair;
  repair.erase_range(event_key(last_ + 1), std::string(events_end));
  return store_.commit(repair, durability::synced);
}

void event_log::append(std::vector<std::string> events, appended then) {
  TROUPE_ASSERT(!events.empty());
  batch changes;
  auto sequence = last_;
  size_t bytes = 0;
  for (const auto& x : events) {
    if (x.size() > event_size_max)
      return then({errc::invalid, "an event of " + std::to_string(x.size())
                                    + " bytes is above the limit of 16 MiB; split it"});
    auto key = event_key(++sequence);
    bytes += x.size();
    auto value = seal(key, x);
    changes.put(std::move(key), std::move(value));
  }
  auto before = last_;
  last_ = sequence; // before the submit: its answer may append again
  auto shared = std::make_shared<appended>(std::move(then));
  auto accepted = committer_.submit(std::move(changes), [shared, sequence](result<void> committed) {
    if (committed)
      (*shared)(sequence);
    else
      (*shared)(committed.error());
  });
  if (accepted) {
    bytes_ += bytes;
    return;
  }
  last_ = before;
  (*shared)(accepted.error());
}

result<void> event_log::replay(uint64_t from, const visitor& visit) const {
  auto removed = trimmed();
  if (!removed)
    return removed.error();
  auto next = std::max<uint64_t>(from, 1);
  if (next <= *removed)
    return {errc::not_found, "event " + std::to_string(next) + " was trimmed, as were all up to "
                               + std::to_string(*removed) + "; begin after the snapshot"};
  result<void> outcome;
  auto scanned = store_.scan(event_prefix, event_key(next), no_limit, [&](auto key, auto value) {
    auto payload = unseal(key, value);
    if (!payload)
      outcome = payload.error();
    else if (sequence_of(key) != next)
      outcome = gap(next, sequence_of(key));
    if (!outcome)
      return false;
    visit(next++, *payload);
    return true;
  });
  TROUPE_TRY(std::move(scanned));
  return outcome;
}

void event_log::submit(batch changes, committer::done then) {
  auto shared = std::make_shared<committer::done>(std::move(then));
  auto accepted
    = committer_.submit(std::move(changes), [shared](result<void> x) { (*shared)(std::move(x)); });
  if (!accepted)
    (*shared)(std::move(accepted));
}

void event_log::save_snapshot(uint64_t sequence, std::vector<snapshot_part> changed,
                              committer::done then) {
  auto present = snapshot_sequence();
  if (!present)
    return then(present.error());
  if (sequence > last_ || sequence < *present)
    return then({errc::invalid, "a snapshot of event " + std::to_string(sequence)
                                  + " does not fit a log with a snapshot of "
                                  + std::to_string(*present) + " and a last event "
                                  + std::to_string(last_) + "; take it of the newest state"});
  batch changes;
  for (auto& each : changed) {
    TROUPE_ASSERT(!each.name.empty());
    auto key = std::string(part_prefix).append(each.name);
    if (!each.bytes) {
      changes.erase(std::move(key));
      continue;
    }
    if (each.bytes->size() > event_size_max)
      return then({errc::invalid, "a part of a snapshot has " + std::to_string(each.bytes->size())
                                    + " bytes, above the limit of 16 MiB; split it"});
    auto value = seal(key, *each.bytes);
    changes.put(std::move(key), std::move(value));
  }
  changes.put(std::string(snapshot_key), mark(snapshot_key, sequence));
  submit(std::move(changes), std::move(then));
}

result<uint64_t> event_log::load_snapshot(const part_visitor& visit) const {
  result<void> outcome;
  TROUPE_TRY(store_.scan(part_prefix, "", no_limit, [&](auto key, auto value) {
    auto payload = unseal(key, value);
    if (!payload) {
      outcome = payload.error();
      return false;
    }
    visit(key.substr(part_prefix.size()), *payload);
    return true;
  }));
  if (!outcome)
    return outcome.error();
  return snapshot_sequence();
}

result<uint64_t> event_log::snapshot_sequence() const {
  return read_mark(store_, snapshot_key);
}

result<uint64_t> event_log::trimmed() const {
  return read_mark(store_, trim_key);
}

void event_log::trim(uint64_t up_to, committer::done then) {
  auto covered = snapshot_sequence();
  auto projected = projection_mark(store_);
  auto removed = trimmed();
  for (const auto* x : {&covered, &projected, &removed})
    if (!*x)
      return then(x->error());
  if (up_to > std::min(*covered, *projected))
    return then({errc::refused, "the log cannot be trimmed to " + std::to_string(up_to)
                                  + ": the snapshot covers " + std::to_string(*covered)
                                  + " and the projection " + std::to_string(*projected)
                                  + "; trim to the lower one, or wait for it"});
  if (up_to <= *removed)
    return then({});
  batch changes;
  changes.erase_range(event_key(*removed + 1), event_key(up_to + 1));
  changes.put(std::string(trim_key), mark(trim_key, up_to));
  submit(std::move(changes), std::move(then));
}

} // namespace troupe::storage
