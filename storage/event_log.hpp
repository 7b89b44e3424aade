// The log of everything that was decided: opaque events, numbered from 1 without gaps, each with
// its own checksum. Grammar and rules: formats.md.
//
// Guarantees: an event is durable before its append is answered. A replay gives every answered
// event once, in order. Nothing that the snapshot and the projection do not both cover is removed.
// A snapshot is a set of named parts, so that a new one writes only what has changed since the
// last. Threads: one caller at a time; answers come where the committer calls them, and in order.
// Limits: an event and a part of a snapshot up to 16 MiB.
// Errors: errc::corrupt (damage before the end of the log), errc::queue_full (nothing was
// appended; the answer then comes on the caller's thread, at once), and those of committer.
#pragma once

#include "storage/committer.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

namespace troupe::storage {

inline constexpr size_t event_size_max = 16 << 20;

struct snapshot_part {
  std::string name;                 // not empty
  std::optional<std::string> bytes; // none: there is no such part any more
};

class event_log {
public:
  using appended = std::function<void(result<uint64_t> last_sequence)>;
  using visitor = std::function<void(uint64_t sequence, std::string_view bytes)>;

  // Checks every record, and removes a torn end with a warning. Both outlive the log.
  static result<std::unique_ptr<event_log>> open(store& target, committer& writer);

  // Appends all of the events or none; answers with the number of the last. At least one event.
  void append(std::vector<std::string> events, appended then);

  // Visits the events with numbers >= from, in order. Errors: errc::not_found where `from` was
  // trimmed (begin after the snapshot), errc::corrupt.
  result<void> replay(uint64_t from, const visitor& visit) const;

  // From now on the snapshot holds every event up to this one: these are the parts that are not as
  // they were. Errors: errc::invalid where the sequence is not appended yet, or older than the
  // snapshot that is there; it stays as it was then.
  void save_snapshot(uint64_t sequence, std::vector<snapshot_part> changed, committer::done then);

  using part_visitor = std::function<void(std::string_view name, std::string_view bytes)>;

  // Visits the parts in the order of their names; gives the last event that they hold, 0 where
  // there is no snapshot.
  result<uint64_t> load_snapshot(const part_visitor& visit) const;

  // Removes the events up to this one, included. Errors: errc::refused where the snapshot or the
  // projection does not cover all of them; nothing is removed then.
  void trim(uint64_t up_to, committer::done then);

  // The number of the last event that was appended, durable or on its way; 0 before the first.
  uint64_t last_sequence() const noexcept { return last_; }

  // What was appended since the log was opened, as it was given. Any thread.
  uint64_t bytes_appended() const noexcept { return bytes_; }

  // Everything up to this one was trimmed; 0 where nothing was.
  result<uint64_t> trimmed() const;

private:
  event_log(store& target, committer& writer) : store_(target), committer_(writer) {}

  result<void> recover();
  result<uint64_t> snapshot_sequence() const;
  void submit(batch changes, committer::done then);

  store& store_;
  committer& committer_;
  uint64_t last_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
};

// The highest event whose changes are in the metadata; 0 before the first.
result<uint64_t> projection_mark(const reader& from);

// Puts the mark into a batch with the changes of that event.
void put_projection_mark(batch& into, uint64_t sequence);

} // namespace troupe::storage
