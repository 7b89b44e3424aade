// The in-memory twin of the store on disk, for tests and the simulation. It keeps what was synced
// and what was not apart, so that a crash loses what a real one may lose.
// Threads: as store. Limits: memory; what is durable is held twice, and what a snapshot sees as
// long as it lives.
#pragma once

#include "runtime/base/random.hpp"
#include "storage/store.hpp"

#include <map>
#include <mutex>

namespace troupe::storage {

class memory_store final : public store {
public:
  memory_store();

  result<void> commit(const batch& changes, durability wanted) override;
  result<std::optional<std::string>> get(std::string_view key) const override;
  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override;
  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override;
  std::unique_ptr<reader> snapshot() const override;

  // The machine loses its power: every commit after the last synced one is lost.
  void crash();

  // As crash(), but as a real log does it: some first part of the unsynced commits was written.
  void crash(random_source& chance);

  // Commits that a crash would lose now.
  size_t unsynced() const;

  // Synced commits so far.
  size_t syncs() const;

private:
  class versions;
  class held_view;

  void crash_keeping(size_t commits);

  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> durable_;
  std::shared_ptr<versions> visible_; // one for each life between crashes
  std::vector<batch> unsynced_;
  size_t syncs_ = 0;
};

} // namespace troupe::storage
