#include "storage/bytes/chunk_writer.hpp"

#include <algorithm>
#include <set>

namespace troupe::storage {

// What one thread works with.
struct chunk_writer::lane {
  explicit lane(const chunk_store_options& options)
    : squeezer(options.compression), pack(options.pack_bytes + options.pack_bytes / 16) {}

  sha256_hasher hasher;
  compressor squeezer;
  pack_builder pack;
};

chunk_writer::chunk_writer(chunk_store& into)
  : into_(into), uploads_(into.objects(), into.options().uploads) {}

chunk_writer::~chunk_writer() = default;

std::unique_ptr<chunk_writer::lane> chunk_writer::take_lane() {
  std::lock_guard lock{mutex_};
  if (idle_.empty())
    return std::make_unique<lane>(into_.options());
  auto out = std::move(idle_.back());
  idle_.pop_back();
  return out;
}

void chunk_writer::return_lane(std::unique_ptr<lane> x) {
  std::lock_guard lock{mutex_};
  idle_.push_back(std::move(x));
}

// Learns what others wrote and swept: what the session finds known from here on, it may count on.
result<void> chunk_writer::begin() {
  std::call_once(began_, [this] { beginning_ = into_.refresh(); });
  return ended_ ? beginning_ : ended_;
}

// Whether the caller has to store it.
bool chunk_writer::claim(const chunk_id& id) {
  auto stored = into_.contains(id);
  std::lock_guard lock{mutex_};
  if (!stored && claimed_.insert(id).second)
    return true;
  ++written_.known;
  if (stored)
    known_.push_back(id);
  return false;
}

result<chunk_id> chunk_writer::put(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > chunk_size_max)
    return {errc::invalid, "a chunk of " + std::to_string(bytes.size())
                             + " bytes cannot be stored; cut it into 1 byte to 4 MiB"};
  TROUPE_TRY(begin());
  auto with = take_lane();
  chunk_id id{with->hasher.of(bytes)};
  result<void> done;
  if (claim(id))
    done = add(*with, id, bytes.size(), with->squeezer.shorter(bytes));
  return_lane(std::move(with));
  return done ? result<chunk_id>{id} : done.error();
}

result<void> chunk_writer::put_stored(const chunk_id& id, size_t size, std::string_view body) {
  TROUPE_TRY(begin());
  if (!claim(id))
    return {};
  auto with = take_lane();
  auto done = add(*with, id, size, body);
  return_lane(std::move(with));
  return done;
}

result<void> chunk_writer::add(lane& to, const chunk_id& id, size_t size, std::string_view body) {
  {
    std::lock_guard lock{mutex_};
    ++written_.chunks;
    written_.bytes += size;
    written_.stored += body.size();
  }
  to.pack.add(entry_of(id, size, body), body);
  return to.pack.size() < into_.options().pack_bytes ? result<void>{} : submit(to.pack);
}

// A pack that a sweep condemned before the session began may be removed at any moment: one with
// the same chunks gets another name. What is condemned later is kept for the guard.
built_pack chunk_writer::take(pack_builder& pack) {
  return pack.take([this](const pack_id& x) { return into_.is_condemned(x); });
}

result<void> chunk_writer::submit(pack_builder& pack) {
  return uploads_.submit(take(pack));
}

bool chunk_writer::reuse(std::span<const chunk_id> ids) {
  if (!begin())
    return false;
  auto absent = into_.missing(ids);
  std::lock_guard lock{mutex_};
  if (!std::all_of(absent.begin(), absent.end(),
                   [&](size_t at) { return claimed_.contains(ids[at]); }))
    return false;
  written_.known += ids.size();
  known_.insert(known_.end(), ids.begin(), ids.end());
  return true;
}

// Joins the packs of all threads, as far as they fit into one; the last one is left.
result<std::optional<built_pack>> chunk_writer::finish_packs() {
  pack_builder rest;
  std::lock_guard lock{mutex_};
  for (auto& each : idle_) {
    if (!rest.empty() && rest.size() + each->pack.size() > into_.options().pack_bytes)
      TROUPE_TRY(submit(rest));
    rest.append(std::move(each->pack));
  }
  return rest.empty() ? std::optional<built_pack>{} : take(rest);
}

// A sweep may have condemned what this session found in the store: it is named again.
result<void> chunk_writer::keep_known(std::vector<pack_section>& sections) {
  TROUPE_TRY(into_.refresh());
  std::lock_guard lock{mutex_};
  std::set<pack_id> kept;
  for (auto at : into_.missing(known_)) {
    if (claimed_.contains(known_[at]))
      continue;
    auto section = into_.condemned(known_[at]);
    if (!section)
      return {errc::unavailable, "the chunk " + known_[at].digits()
                                   + " was swept while it was counted on; add everything again"};
    if (kept.insert(section->name).second)
      sections.push_back(*section);
  }
  known_.clear();
  return {};
}

result<void> chunk_writer::commit() {
  if (ended_)
    ended_ = commit_once();
  return ended_;
}

result<void> chunk_writer::commit_once() {
  auto last = finish_packs();
  if (!last)
    return last.error();
  auto sections = uploads_.finish(std::move(*last));
  if (!sections)
    return sections.error();
  TROUPE_TRY(keep_known(*sections));
  auto added = into_.add(*sections);
  return added ? result<void>{} : added.error();
}

written_chunks chunk_writer::written() const {
  std::lock_guard lock{mutex_};
  return written_;
}

} // namespace troupe::storage
