// A store around another one that fails, waits or forgets to sync when a test says so.
// Threads: as store.
#pragma once

#include "storage/store.hpp"

#include <condition_variable>
#include <mutex>

namespace troupe::storage {

class faulty_store final : public store {
public:
  // `target` outlives this.
  explicit faulty_store(store& target) : target_(target) {}

  // After that many further commits every one fails, as on a full disk.
  void fail_after(size_t commits);
  void mend();

  // Commits wait until release().
  void hold();
  void release();

  // Synced commits reach the target unsynced: a disk that lies, or a sync that was forgotten.
  void drop_syncs(bool yes);

  // Commits that are waiting now: 0 or more while held.
  size_t held() const;

  // Waits until that many commits wait; false after ten seconds.
  bool wait_until_held(size_t commits) const;

  result<void> commit(const batch& changes, durability wanted) override;
  result<std::optional<std::string>> get(std::string_view key) const override;
  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override;
  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override;
  std::unique_ptr<reader> snapshot() const override;

private:
  store& target_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  size_t good_commits_left_ = no_limit;
  size_t held_ = 0;
  bool holding_ = false;
  bool dropping_ = false;
};

} // namespace troupe::storage
