#include "storage/rocksdb_store.hpp"

#include "storage/store_directory.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <system_error>

namespace troupe::storage {

namespace {

error failure(const rocksdb::Status& status, const std::string& doing,
              const std::string& directory) {
  auto text = "cannot " + doing + " the store in " + directory + ": " + status.ToString();
  if (status.IsCorruption() || status.IsPathNotFound()) // of a file that has to be there
    return {errc::corrupt, text + "; restore the directory from a copy, or start with a new one"};
  if (status.IsNoSpace())
    return {errc::io, text + "; the disk is full: free some space and start again"};
  if (status.IsIOError())
    return {errc::io, text + "; mend the disk or its permissions and start again"};
  if (status.IsNotSupported() || status.IsInvalidArgument())
    return {errc::invalid, text + "; the directory is of another program or version"};
  return {errc::internal, text + "; start again, and report it where that does not help"};
}

rocksdb::Options settings(const rocksdb_options& options) {
  rocksdb::Options out;
  out.create_if_missing = true;
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  out.max_total_wal_size = options.write_ahead_log_max;
  out.write_buffer_size = options.write_buffer;
  out.target_file_size_base = options.table_max;
  out.max_background_jobs = 2;
  out.max_open_files = 512;
  out.keep_log_file_num = 2;
  out.max_log_file_size = 1 << 20;
  out.info_log_level = rocksdb::WARN_LEVEL;
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  out.compression = rocksdb::kLZ4Compression;
  // Most keys that are asked for are not there: names and ids that are to be new.
  out.memtable_prefix_bloom_size_ratio = 0.02;
  out.memtable_whole_key_filtering = true;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

rocksdb::Status compact_all(rocksdb::DB& database) {
  rocksdb::CompactRangeOptions how;
  how.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  return database.CompactRange(how, nullptr, nullptr);
}

// Scans pass over range deletions, see there. A store that was written by 0.1.0 has some.
rocksdb::Status find_range_deletions(rocksdb::DB& database, bool& any) {
  rocksdb::TablePropertiesCollection tables;
  auto status = database.GetPropertiesOfAllTables(&tables);
  any = std::any_of(tables.begin(), tables.end(),
                    [](const auto& x) { return x.second->num_range_deletions > 0; });
  return status;
}

// RocksDB 7.8 ends a scan early, without an error, where the first block of a table cannot be read,
// and passes over keys where another cannot, because of its range deletions (facebook/rocksdb#11782
// and #11786, mended in 8.5). This store writes none.
rocksdb::ReadOptions for_scans() {
  rocksdb::ReadOptions out;
  out.ignore_range_deletions = true;
  return out;
}

rocksdb::Slice slice(std::string_view x) {
  return {x.data(), x.size()};
}

std::string_view view(const rocksdb::Slice& x) {
  return {x.data(), x.size()};
}

// One point in time. Its iterators are kept: making one costs more than most reads.
class held_view final : public reader {
public:
  held_view(rocksdb::DB& database, const std::string& directory)
    : database_(database), directory_(directory), snapshot_(database.GetSnapshot()) {
    how_.snapshot = snapshot_;
    scans_.snapshot = snapshot_;
  }

  held_view(const held_view&) = delete;
  held_view& operator=(const held_view&) = delete;

  ~held_view() override {
    idle_.clear();
    database_.ReleaseSnapshot(snapshot_);
  }

  result<std::optional<std::string>> get(std::string_view key) const override {
    std::string value;
    auto status = database_.Get(how_, slice(key), &value);
    if (status.IsNotFound())
      return std::nullopt;
    if (!status.ok())
      return failure(status, "read", directory_);
    return value;
  }

  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override {
    auto at = take();
    at->Seek(slice(std::max(prefix, from)));
    for (size_t n = 0; n < limit && within(*at, prefix); ++n) {
      if (!visit(view(at->key()), view(at->value())))
        break;
      at->Next();
    }
    return give_back(std::move(at));
  }

  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override {
    auto end = end_of_scan(prefix, below);
    auto at = take();
    if (end.empty())
      at->SeekToLast();
    else
      at->SeekForPrev(end);
    if (at->Valid() && !end.empty() && view(at->key()) == end)
      at->Prev();
    for (size_t n = 0; n < limit && within(*at, prefix); ++n) {
      if (!visit(view(at->key()), view(at->value())))
        break;
      at->Prev();
    }
    return give_back(std::move(at));
  }

private:
  using iterator = std::unique_ptr<rocksdb::Iterator>;

  static bool within(const rocksdb::Iterator& at, std::string_view prefix) {
    return at.Valid() && at.key().starts_with(slice(prefix));
  }

  // A visitor may scan again: each scan has an iterator of its own.
  iterator take() const {
    if (idle_.empty())
      return iterator(database_.NewIterator(scans_));
    auto out = std::move(idle_.back());
    idle_.pop_back();
    return out;
  }

  result<void> give_back(iterator used) const {
    if (!used->status().ok())
      return failure(used->status(), "read", directory_);
    idle_.push_back(std::move(used));
    return {};
  }

  rocksdb::DB& database_;
  const std::string& directory_;
  const rocksdb::Snapshot* snapshot_;
  rocksdb::ReadOptions how_;
  rocksdb::ReadOptions scans_ = for_scans();
  mutable std::vector<iterator> idle_;
};

} // namespace

struct rocksdb_store::state {
  result<void> add(rocksdb::WriteBatch& to, const batch& changes, bool has_range);
  rocksdb::Status erase_range(rocksdb::WriteBatch& to, const batch& changes, size_t at);

  std::string directory;
  directory_lock lock; // outlives the database
  std::unique_ptr<rocksdb::DB> database;
  std::atomic<bool> failed = false; // a write: RocksDB would go on by itself when space is made
  std::shared_mutex erasing_ranges; // alone: nobody adds a key between the look and the write
};

// Key by key, see for_scans().
rocksdb::Status rocksdb_store::state::erase_range(rocksdb::WriteBatch& to, const batch& changes,
                                                  size_t at) {
  const auto& range = changes.changes()[at];
  if (range.key >= range.value)
    return {};
  rocksdb::Status status;
  for (size_t i = 0; i < at && status.ok(); ++i) {
    const auto& earlier = changes.changes()[i];
    if (earlier.what == batch::kind::put && range.key <= earlier.key && earlier.key < range.value)
      status = to.Delete(earlier.key);
  }
  rocksdb::Slice end(range.value);
  auto how = for_scans();
  how.iterate_upper_bound = &end;
  std::unique_ptr<rocksdb::Iterator> each(database->NewIterator(how));
  for (each->Seek(range.key); status.ok() && each->Valid(); each->Next())
    status = to.Delete(each->key());
  return status.ok() ? each->status() : status;
}

// In the order of their keys, but for those of one key: RocksDB finds the place of a key from that
// of the key before. A range erases what was put before it, so that a batch with one stays as it
// is.
std::vector<size_t> order_of(const std::vector<batch::change>& changes, bool has_range) {
  std::vector<size_t> out(changes.size());
  std::iota(out.begin(), out.end(), size_t{0});
  if (!has_range)
    std::ranges::stable_sort(
      out, {}, [&](size_t i) -> const auto& { return changes[i].key; });
  return out;
}

result<void> rocksdb_store::state::add(rocksdb::WriteBatch& to, const batch& changes,
                                       bool has_range) {
  for (auto i : order_of(changes.changes(), has_range)) {
    const auto& x = changes.changes()[i];
    rocksdb::Status status;
    switch (x.what) {
    case batch::kind::put:
      status = to.Put(x.key, x.value);
      break;
    case batch::kind::erase:
      status = to.Delete(x.key);
      break;
    case batch::kind::erase_range:
      status = erase_range(to, changes, i);
      break;
    }
    if (!status.ok())
      return failure(status, "prepare a write to", directory);
  }
  return {};
}

rocksdb_store::rocksdb_store(std::unique_ptr<state> content) : state_(std::move(content)) {}

rocksdb_store::~rocksdb_store() = default;

result<std::unique_ptr<rocksdb_store>> rocksdb_store::open(const std::string& directory,
                                                           const rocksdb_options& options,
                                                           rocksdb::Env* environment) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed)
    return {errc::io, "cannot make the directory " + directory + ": " + failed.message()
                        + "; choose a directory that you may write to"};
  auto content = std::make_unique<state>();
  content->directory = directory;
  TROUPE_TRY(content->lock.take(directory));
  TROUPE_TRY(check_store_files(directory));
  auto wanted = settings(options);
  if (environment)
    wanted.env = environment;
  rocksdb::DB* database = nullptr;
  auto status = rocksdb::DB::Open(wanted, directory, &database);
  if (!status.ok())
    return failure(status, "open", directory);
  content->database.reset(database);
  auto has_ranges = false;
  status = find_range_deletions(*database, has_ranges);
  if (status.ok() && has_ranges)
    status = compact_all(*database); // carries them out, once
  if (!status.ok())
    return failure(status, "open", directory);
  return std::unique_ptr<rocksdb_store>(new rocksdb_store(std::move(content)));
}

result<std::unique_ptr<const rocksdb_store>>
rocksdb_store::open_to_read(const std::string& directory) {
  auto content = std::make_unique<state>();
  content->directory = directory;
  error none{errc::not_found, "there is no store in " + directory + "; choose another directory"};
  std::error_code failed;
  if (!std::filesystem::exists(directory, failed))
    return none;
  TROUPE_TRY(content->lock.share(directory));
  TROUPE_TRY(check_store_files(directory));
  if (!std::filesystem::exists(directory + "/CURRENT", failed))
    return none;
  auto wanted = settings({});
  wanted.create_if_missing = false;
  rocksdb::DB* database = nullptr;
  auto status = rocksdb::DB::OpenForReadOnly(wanted, directory, &database);
  if (!status.ok())
    return failure(status, "open", directory);
  content->database.reset(database);
  auto has_ranges = false;
  status = find_range_deletions(*database, has_ranges);
  if (!status.ok())
    return failure(status, "open", directory);
  if (has_ranges)
    return {errc::invalid, "the store in " + directory
                             + " is as 0.1.0 wrote it; start a cluster over it once, which brings "
                               "it to the form of today"};
  return std::unique_ptr<const rocksdb_store>(new rocksdb_store(std::move(content)));
}

result<void> rocksdb_store::commit(const batch& changes, durability wanted) {
  auto is_range = [](const auto& x) { return x.what == batch::kind::erase_range; };
  std::shared_lock together(state_->erasing_ranges, std::defer_lock);
  std::unique_lock alone(state_->erasing_ranges, std::defer_lock);
  auto has_range = std::any_of(changes.changes().begin(), changes.changes().end(), is_range);
  if (has_range)
    alone.lock();
  else
    together.lock();
  if (state_->failed)
    return {errc::io, "the store in " + state_->directory
                        + " stopped at a write that failed; mend the disk and start again"};
  rocksdb::WriteBatch writes(changes.bytes() + 16 * changes.changes().size() + 16);
  TROUPE_TRY(state_->add(writes, changes, has_range));
  rocksdb::WriteOptions how;
  how.sync = wanted == durability::synced;
  auto status = state_->database->Write(how, &writes);
  if (!status.ok()) {
    state_->failed = true;
    return failure(status, "write to", state_->directory);
  }
  return {};
}

result<std::optional<std::string>> rocksdb_store::get(std::string_view key) const {
  std::string value;
  auto status = state_->database->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.IsNotFound())
    return std::nullopt;
  if (!status.ok())
    return failure(status, "read", state_->directory);
  return value;
}

result<void> rocksdb_store::scan(std::string_view prefix, std::string_view from, size_t limit,
                                 const visitor& visit) const {
  return held_view(*state_->database, state_->directory).scan(prefix, from, limit, visit);
}

result<void> rocksdb_store::scan_back(std::string_view prefix, std::string_view below, size_t limit,
                                      const visitor& visit) const {
  return held_view(*state_->database, state_->directory).scan_back(prefix, below, limit, visit);
}

std::unique_ptr<reader> rocksdb_store::snapshot() const {
  return std::make_unique<held_view>(*state_->database, state_->directory);
}

result<void> rocksdb_store::compact() {
  auto status = compact_all(*state_->database);
  if (!status.ok())
    return failure(status, "compact", state_->directory);
  return {};
}

result<void> rocksdb_store::copy_to(const std::string& directory) const {
  if (std::error_code failed; std::filesystem::exists(directory, failed))
    return {errc::already_exists, directory + " is there already; choose another directory"};
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(state_->database.get(), &made);
  std::unique_ptr<rocksdb::Checkpoint> copy(made);
  if (status.ok())
    status = copy->CreateCheckpoint(directory);
  if (!status.ok())
    return failure(status, "copy", state_->directory);
  return {};
}

} // namespace troupe::storage
