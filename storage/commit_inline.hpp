// Commits at once, on the caller's thread: for the simulation, where a thread of its own would
// not be repeatable. `done` is called before submit returns.
// Threads: one at a time. `done` may submit again: that batch commits within the outer call.
#pragma once

#include "storage/committer.hpp"

namespace troupe::storage {

class commit_inline final : public committer {
public:
  // `target` outlives this.
  explicit commit_inline(store& target) : target_(target) {}

  result<void> submit(batch changes, done then) override;
  commit_stats stats() const override { return stats_; }

private:
  store& target_;
  commit_stats stats_;
  error failed_;
};

} // namespace troupe::storage
