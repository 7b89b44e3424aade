#include "storage/commit_inline.hpp"

namespace troupe::storage {

result<void> commit_inline::submit(batch changes, done then) {
  if (failed_.code != errc::ok) {
    then(stopped_by(failed_));
    return {};
  }
  auto committed = target_.commit(changes, durability::synced);
  if (committed) {
    ++stats_.batches;
    ++stats_.commits;
  } else {
    failed_ = committed.error();
  }
  then(std::move(committed));
  return {};
}

} // namespace troupe::storage
