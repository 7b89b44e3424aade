// What of the files in a directory would be there after a loss of power: how many bytes of each
// were synced, and which names were made, replaced or removed since their directory was synced.
//
// The files themselves are real and hold all that was written; a file that is removed is kept aside
// until its directory is synced. Files only grow at their end or are cut short, as RocksDB's do.
// Names change in the order of a journal, as in ext4 and xfs: a crash keeps the first of them.
// Threads: one at a time.
#pragma once

#include "runtime/base/random.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

// What stands behind the bytes of a file that survive a crash.
enum class torn_end : uint8_t { nothing, garbage };

class disk_contents {
public:
  struct file {
    uint64_t size = 0;   // bytes
    uint64_t synced = 0; // bytes from the start that survive
  };

  // `aside`: a directory on the same file system, for removed files.
  explicit disk_contents(std::string aside);

  // The file with this name; what was there before the first call is taken for synced.
  std::shared_ptr<file> find(const std::string& path);

  // Each does what it says to the real file, too. False where that fails.
  bool make(const std::string& path); // an empty file, which is there already; see set_aside()
  bool rename(const std::string& from, const std::string& to);
  bool remove(const std::string& path);

  // Before make(): a file that has the name now goes, as far as a crash does not bring it back.
  bool set_aside(const std::string& path);

  void sync_directory(const std::string& directory);

  // Takes from the real files what a crash takes, by chance.
  void lose(random_source& chance, torn_end end);

private:
  struct change {
    std::string name;               // that it made or removed
    std::string old_name;           // of a rename
    std::shared_ptr<file> replaced; // what had the name before
    std::string kept;               // where the replaced one is
    bool made = false;              // there is a file with the name now
  };

  std::string keep(const std::string& path);
  void note(change what);
  void undo(const change& what);
  static void cut(const std::string& path, file& of, random_source& chance, torn_end end);

  const std::string aside_;
  uint64_t kept_ = 0;
  std::map<std::string, std::shared_ptr<file>> files_;
  std::map<std::string, std::vector<change>> changes_; // by directory, since it was synced
};

// The files of a store in whose names `part` is: ".log", ".sst", "MANIFEST", "CURRENT"; in order.
std::vector<std::string> files_of(const std::string& directory, std::string_view part);

// Turns one bit of a file at rest.
void flip_bit(const std::string& path, uint64_t bit);

} // namespace troupe::testing
