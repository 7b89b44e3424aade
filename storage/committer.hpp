// Who makes batches durable: one small interface, live (a queue with a writer thread) and in
// simulation (at once, on the caller's thread).
//
// Guarantees: batches commit in the order of their submits, each whole, all synced. `done` is
// called exactly once for each accepted batch, in order, after it is durable. After the first
// failed commit nothing is written any more: whether the failed batch is there is known only to the
// next open, so the process that owns the store has to start again. Errors: of submit,
// errc::queue_full (nothing was accepted, `done` is not called); of `done`, those of store::commit,
// and errc::unavailable after an earlier failure.
#pragma once

#include "storage/store.hpp"

#include <functional>

namespace troupe::storage {

struct commit_stats {
  uint64_t batches = 0; // made durable
  uint64_t commits = 0; // synced writes that this took
};

class committer {
public:
  using done = std::function<void(result<void>)>;

  virtual ~committer() = default;

  virtual result<void> submit(batch changes, done then) = 0;

  virtual commit_stats stats() const = 0;
};

// What every submit gets after `first` failed.
error stopped_by(const error& first);

} // namespace troupe::storage
