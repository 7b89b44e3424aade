// The store on disk: RocksDB. The only part of Troupe that knows it.
//
// A torn end of the write-ahead log (a crash while it was written) is recovered at open: what was
// not whole is gone, and it was never acknowledged as synced. Damage before the end is
// errc::corrupt: the store does not open over lost acknowledged writes.
// After a failed write the store refuses writes until the directory is opened again.
// Threads: as store.
#pragma once

#include "storage/store.hpp"

#include <memory>

namespace rocksdb {
class Env;
}

namespace troupe::storage {

struct rocksdb_options {
  size_t write_ahead_log_max = 64 << 20; // bytes; bounds the work of the next open
  size_t write_buffer = 16 << 20;        // bytes in memory before they go to a sorted file
  size_t block_cache = 32 << 20;         // bytes
  size_t table_max = 64 << 20;           // bytes of a sorted file, roughly
};

class rocksdb_store final : public store {
public:
  // Opens the directory, and makes it where it is missing.
  // Errors: errc::already_exists (another store, of this or another process, has it open),
  // errc::corrupt, errc::io. `environment`, which outlives the store, stands for RocksDB's files
  // and threads; none: those of the machine.
  static result<std::unique_ptr<rocksdb_store>> open(const std::string& directory,
                                                     const rocksdb_options& options = {},
                                                     rocksdb::Env* environment = nullptr);

  // Opens what is there to look at it: no file is made, changed or mended, and a torn end of the
  // log is left out. Several may have a directory open so at once, but nobody to write.
  // Errors: as open(); errc::not_found (there is no store), errc::invalid (0.1.0 wrote it).
  static result<std::unique_ptr<const rocksdb_store>> open_to_read(const std::string& directory);

  ~rocksdb_store() override;

  result<void> commit(const batch& changes, durability wanted) override;
  result<std::optional<std::string>> get(std::string_view key) const override;
  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override;
  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override;
  std::unique_ptr<reader> snapshot() const override;

  // Writes everything anew, so that what was erased takes no room and a read looks in one place. It
  // takes as long as copying the store; others read and write meanwhile.
  result<void> compact();

  // A store like this one, as it is at one moment during the call, in a directory that is not there
  // yet; others read and write meanwhile. On the same file system the two share files. To restore
  // it, open it in the place of the other. Errors: errc::already_exists (the directory), errc::io;
  // nothing is left then.
  result<void> copy_to(const std::string& directory) const;

private:
  struct state;

  explicit rocksdb_store(std::unique_ptr<state> content);

  std::unique_ptr<state> state_;
};

} // namespace troupe::storage
