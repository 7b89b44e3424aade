// The metadata store: what was made of what, by what, in which context; and every change of it, in
// order.
//
// Guarantees: a change set is written whole or not at all, and is durable before it is answered.
// Change sets take effect in the order of their calls, each with its own sequence number, without
// gaps from 1. The next one is checked while the one before is on its way to the disk.
// Threads: every function may be called from any thread. Answers come where the committer calls
// them, in order, or at once on the caller's thread for a refusal. The destructor waits for what is
// under way; it may not run on the committer's thread.
// Errors: those of transaction and committer; errc::corrupt. After a write that failed on the disk
// every further one fails: the store has to be opened again.
#pragma once

#include "runtime/base/clock.hpp"
#include "storage/committer.hpp"
#include "storage/metadata/pending_writes.hpp"
#include "storage/metadata/transaction.hpp"
#include "storage/metadata/view.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace troupe::storage {

class metadata {
public:
  using written = std::function<void(result<receipt>)>;
  using observer = std::function<void(uint64_t sequence, const change_record& what)>;

  // All outlive this. What an older version of Troupe wrote is brought to today's form first.
  static result<std::unique_ptr<metadata>> open(store& target, committer& writer,
                                                const clock& time);

  ~metadata();

  void write(change_set set, written then);

  // The same, and waits. Not on the committer's thread, nor on a scheduler thread.
  result<receipt> write(change_set set);

  // What is written now, or what was when `as_of` was the last change.
  metadata_view look(uint64_t as_of = latest) const;

  // The last change that is durable; 0 before the first.
  uint64_t sequence() const noexcept { return durable_; }

  // Is called with each change after it is durable, in order, before its answer. Set once, before
  // the first write; short, as an answer has to be.
  void observe(observer seen) { observer_ = std::move(seen); }

private:
  struct entry {
    uint64_t number = 0; // of all sets, those without a change too
    batch writes;
    layer::values values;
    change_record changes;
    bool changed = false;
    bool settled = false; // its answer is known; under mutex_
    receipt answer;
    written then;
    metadata_counters counters_before;
    std::shared_ptr<const type_catalog> types_before;
  };

  metadata(store& target, committer& writer, const clock& time)
    : store_(target), committer_(writer), clock_(time), pending_(target) {}

  result<void> load();
  result<void> convert();
  result<void> prepare(change_set& set, entry& to);
  void submit_all();
  void finish(const std::shared_ptr<entry>& x, const result<void>& committed);

  store& store_;
  committer& committer_;
  const clock& clock_;
  observer observer_;
  std::atomic<uint64_t> durable_ = 0;

  mutable std::mutex mutex_; // of what follows
  std::condition_variable idle_;
  metadata_counters counters_;
  std::shared_ptr<const type_catalog> types_;
  pending_writes pending_;
  std::deque<std::shared_ptr<entry>> ready_;             // to be submitted
  std::map<uint64_t, std::shared_ptr<entry>> under_way_; // submitted, or ready
  uint64_t last_number_ = 0;
  bool submitting_ = false;
  error failed_;
};

} // namespace troupe::storage
