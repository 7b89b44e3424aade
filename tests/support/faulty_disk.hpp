// A disk with faults beneath RocksDB: real files, of which a crash takes what was not synced, and
// calls that fail when a test says so.
//
//   faulty_disk disk(scratch.path + "/aside");
//   auto store = rocksdb_store::open(path, {}, &disk.environment());
//   ...
//   disk.crash(chance);  // nothing reaches the disk any more
//   store.reset();
//   disk.start();        // the next open sees what a real disk may have kept
//
// The same seed and the same calls give the same faults; RocksDB's background threads make calls in
// no fixed order. RocksDB's own log (LOG) and its lock have no faults.
// Threads: any; a crash and a start come from one.
#pragma once

#include "tests/support/disk_contents.hpp"

#include <memory>
#include <string>

namespace rocksdb {
class Env;
}

namespace troupe::testing {

enum class disk_call : uint8_t { open, write, sync, rename, read };
inline constexpr int disk_calls = 5;

// As 0.1.0 erased a range: RocksDB's own range deletion, in the store's log.
bool erase_range_natively(const std::string& directory, const std::string& from,
                          const std::string& end);

class faulty_disk {
public:
  // `aside`: a directory beside the store's, on the same file system.
  explicit faulty_disk(const std::string& aside);
  ~faulty_disk();

  // Outlives the store that is opened with it.
  rocksdb::Env& environment();

  // The power goes: every call fails until start(), and what was not synced is lost.
  void crash(random_source& chance, torn_end end = torn_end::nothing);
  void start();

  bool is_on() const;

  // The power goes in the middle of the call with this number from now, of any kind.
  void crash_at(uint64_t call, const random_source& chance, torn_end end = torn_end::nothing);

  // `rename` stands for removals too. The call of this kind with this number from now, from 1,
  // fails with an I/O error.
  void fail(disk_call which, uint64_t number);

  // After that many further bytes there is no space: a write keeps its first part only.
  void fill_after(uint64_t bytes);

  // After that many further syncs, of files and directories, they do nothing and succeed.
  void drop_syncs_after(uint64_t syncs);

  // One read of so many, by chance, has one bit wrong. 0: none.
  void flip_reads(uint64_t one_in, uint64_t seed);

  // None of these faults any more.
  void mend();

  // Calls so far, those that failed included.
  uint64_t calls(disk_call which) const;

  // Faults that have struck so far: failed calls, dropped syncs and wrong bits.
  uint64_t faults() const;

  struct state;

private:
  const std::shared_ptr<state> state_;
  const std::unique_ptr<rocksdb::Env> environment_;
};

} // namespace troupe::testing
