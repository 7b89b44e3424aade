#include "tests/support/faulty_disk.hpp"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <thread>

namespace troupe::testing {

namespace fs = std::filesystem;

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr auto never = std::numeric_limits<uint64_t>::max();

struct faulty_disk::state {
  explicit state(const std::string& aside) : contents(aside) {}

  std::mutex mutex; // of all below, and of every call that changes a file
  disk_contents contents;
  bool off = false;
  uint64_t life = 0; // files that were opened before a crash stay dead
  std::array<uint64_t, disk_calls> calls{};
  std::array<uint64_t, disk_calls> failing{}; // the call that fails, by number
  uint64_t faults = 0;
  uint64_t space = never;
  uint64_t good_syncs = never;
  uint64_t flips_one_in = 0;
  random_source chance{1};
  uint64_t crash_in = never; // calls
  random_source crash_chance{1};
  torn_end crash_end = torn_end::nothing;

  void crash(random_source& by, torn_end end) {
    off = true;
    crash_in = never;
    ++life;
    contents.lose(by, end);
  }

  // Counts the call and says whether it may go on. Under the mutex.
  IOStatus enter(disk_call which, uint64_t of_life) {
    if (crash_in != never && !off && --crash_in == 0)
      crash(crash_chance, crash_end);
    if (off || of_life != life)
      return IOStatus::IOError("the machine has lost its power");
    auto kind = static_cast<size_t>(which);
    if (++calls[kind] != failing[kind])
      return IOStatus::OK();
    ++faults;
    return IOStatus::IOError("Input/output error");
  }

  IOStatus enter(disk_call which) { return enter(which, life); }

  // Of a sync that may go on: whether it does anything.
  bool syncs() {
    if (good_syncs == 0) {
      ++faults;
      return false;
    }
    if (good_syncs != never)
      --good_syncs;
    return true;
  }

  void flip(Slice* bytes, char* scratch) {
    std::lock_guard lock(mutex);
    if (flips_one_in == 0 || bytes->empty() || chance.below(flips_one_in) != 0)
      return;
    ++faults;
    if (bytes->data() != scratch)
      std::copy_n(bytes->data(), bytes->size(), scratch);
    auto bit = chance.below(bytes->size() * 8);
    scratch[bit / 8] = static_cast<char>(scratch[bit / 8] ^ (1 << bit % 8));
    *bytes = Slice(scratch, bytes->size());
  }

  IOStatus enter_read(uint64_t of_life) {
    std::lock_guard lock(mutex);
    return enter(disk_call::read, of_life);
  }
};

namespace {

using shared_state = std::shared_ptr<faulty_disk::state>;

std::string normal(const std::string& path) {
  auto out = fs::path(path).lexically_normal().string();
  if (out.size() > 1 && out.back() == '/')
    out.pop_back();
  return out;
}

bool without_faults(const std::string& path) {
  return fs::path(path).filename().string().starts_with("LO"); // LOG, LOG.old.N, LOCK
}

IOStatus done(bool well) {
  return well ? IOStatus::OK() : IOStatus::IOError("no such file");
}

class writable final : public rocksdb::FSWritableFileOwnerWrapper {
public:
  writable(std::unique_ptr<rocksdb::FSWritableFile>&& target, shared_state disk,
           std::shared_ptr<disk_contents::file> content)
    : FSWritableFileOwnerWrapper(std::move(target)), disk_(std::move(disk)), life_(disk_->life),
      content_(std::move(content)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::write, life_);
    if (!entered.ok())
      return entered;
    auto fits = std::min<uint64_t>(data.size(), disk_->space);
    auto written = target_append(Slice(data.data(), fits), options, debug);
    if (!written.ok())
      return written;
    content_->size += fits;
    if (disk_->space != never)
      disk_->space -= fits;
    if (fits == data.size())
      return written;
    ++disk_->faults;
    auto full = IOStatus::NoSpace("No space left on device");
    full.SetRetryable(true); // as RocksDB's own file system does
    return full;
  }

  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }

  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::write, life_);
    if (!entered.ok())
      return entered;
    content_->size = size;
    content_->synced = std::min(content_->synced, size);
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }

  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::sync, life_);
    if (entered.ok() && disk_->syncs())
      content_->synced = content_->size;
    return entered;
  }

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }

  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK(); // promises nothing
  }

  // Without space that is taken ahead: a file that is closed after the crash would be cut to its
  // size of before.
  void PrepareWrite(size_t, size_t, const IOOptions&, IODebugContext*) override {}
  IOStatus Allocate(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

private:
  IOStatus target_append(const Slice& data, const IOOptions& options, IODebugContext* debug) {
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }

  const shared_state disk_;
  const uint64_t life_;
  const std::shared_ptr<disk_contents::file> content_;
};

class sequential final : public rocksdb::FSSequentialFileOwnerWrapper {
public:
  sequential(std::unique_ptr<rocksdb::FSSequentialFile>&& target, shared_state disk)
    : FSSequentialFileOwnerWrapper(std::move(target)), disk_(std::move(disk)), life_(disk_->life) {}

  IOStatus Read(size_t size, const IOOptions& options, Slice* to, char* scratch,
                IODebugContext* debug) override {
    auto entered = disk_->enter_read(life_);
    if (entered.ok())
      entered = FSSequentialFileOwnerWrapper::Read(size, options, to, scratch, debug);
    if (entered.ok())
      disk_->flip(to, scratch);
    return entered;
  }

private:
  const shared_state disk_;
  const uint64_t life_;
};

class random_access final : public rocksdb::FSRandomAccessFileOwnerWrapper {
public:
  random_access(std::unique_ptr<rocksdb::FSRandomAccessFile>&& target, shared_state disk)
    : FSRandomAccessFileOwnerWrapper(std::move(target)), disk_(std::move(disk)),
      life_(disk_->life) {}

  IOStatus Read(uint64_t offset, size_t size, const IOOptions& options, Slice* to, char* scratch,
                IODebugContext* debug) const override {
    auto entered = disk_->enter_read(life_);
    if (entered.ok())
      entered = FSRandomAccessFileOwnerWrapper::Read(offset, size, options, to, scratch, debug);
    if (entered.ok())
      disk_->flip(to, scratch);
    return entered;
  }

  // Both by Read().
  IOStatus MultiRead(rocksdb::FSReadRequest* all, size_t count, const IOOptions& options,
                     IODebugContext* debug) override {
    return FSRandomAccessFile::MultiRead(all, count, options, debug);
  }
  IOStatus Prefetch(uint64_t, size_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("no prefetch");
  }

private:
  const shared_state disk_;
  const uint64_t life_;
};

class directory final : public rocksdb::FSDirectoryWrapper {
public:
  directory(std::unique_ptr<rocksdb::FSDirectory>&& target, shared_state disk, std::string path)
    : FSDirectoryWrapper(std::move(target)), disk_(std::move(disk)), life_(disk_->life),
      path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::sync, life_);
    if (entered.ok() && disk_->syncs())
      disk_->contents.sync_directory(path_);
    return entered;
  }

  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

private:
  const shared_state disk_;
  const uint64_t life_;
  const std::string path_;
};

class file_system final : public rocksdb::FileSystemWrapper {
public:
  explicit file_system(shared_state disk)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(std::move(disk)) {}

  const char* Name() const override { return "troupe-faulty-disk"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* out,
                           IODebugContext* debug) override {
    return open_writable(name, out, [&](auto* file) {
      if (!disk_->contents.set_aside(normal(name)))
        return IOStatus::IOError("cannot replace a file");
      auto opened = FileSystemWrapper::NewWritableFile(name, options, file, debug);
      if (opened.ok())
        disk_->contents.make(normal(name));
      return opened;
    });
  }

  IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* out,
                              IODebugContext* debug) override {
    return open_writable(name, out, [&](auto* file) {
      auto there = disk_->contents.find(normal(name)) != nullptr;
      auto opened = FileSystemWrapper::ReopenWritableFile(name, options, file, debug);
      if (opened.ok() && !there)
        disk_->contents.make(normal(name));
      return opened;
    });
  }

  IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* out,
                             IODebugContext* debug) override {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::open);
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    if (entered.ok())
      entered = FileSystemWrapper::NewSequentialFile(name, options, &file, debug);
    if (entered.ok())
      *out = std::make_unique<sequential>(std::move(file), disk_);
    return entered;
  }

  IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* out,
                               IODebugContext* debug) override {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::open);
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    if (entered.ok())
      entered = FileSystemWrapper::NewRandomAccessFile(name, options, &file, debug);
    if (entered.ok())
      *out = std::make_unique<random_access>(std::move(file), disk_);
    return entered;
  }

  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* out,
                        IODebugContext* debug) override {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::open);
    std::unique_ptr<rocksdb::FSDirectory> file;
    if (entered.ok())
      entered = FileSystemWrapper::NewDirectory(name, options, &file, debug);
    if (entered.ok())
      *out = std::make_unique<directory>(std::move(file), disk_, normal(name));
    return entered;
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    if (without_faults(from))
      return FileSystemWrapper::RenameFile(from, to, options, debug);
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::rename);
    return entered.ok() ? done(disk_->contents.rename(normal(from), normal(to))) : entered;
  }

  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* debug) override {
    if (without_faults(name))
      return FileSystemWrapper::DeleteFile(name, options, debug);
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::rename);
    return entered.ok() ? done(disk_->contents.remove(normal(name))) : entered;
  }

private:
  template <class Open>
  IOStatus open_writable(const std::string& name, std::unique_ptr<rocksdb::FSWritableFile>* out,
                         Open open) {
    std::lock_guard lock(disk_->mutex);
    auto entered = disk_->enter(disk_call::open);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    if (entered.ok())
      entered = open(&file);
    if (entered.ok())
      *out = std::make_unique<writable>(std::move(file), disk_, disk_->contents.find(normal(name)));
    return entered;
  }

  const shared_state disk_;
};

// RocksDB sleeps for a second after each failed flush, also while it closes.
class sleepless_clock final : public rocksdb::SystemClockWrapper {
public:
  sleepless_clock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "troupe-sleepless-clock"; }
  void SleepForMicroseconds(int) override { std::this_thread::yield(); }
};

class environment_of final : public rocksdb::EnvWrapper {
public:
  explicit environment_of(const std::shared_ptr<file_system>& files)
    : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
    system_clock_ = std::make_shared<sleepless_clock>();
  }
};

} // namespace

faulty_disk::faulty_disk(const std::string& aside)
  : state_(std::make_shared<state>(aside)),
    environment_(std::make_unique<environment_of>(std::make_shared<file_system>(state_))) {}

faulty_disk::~faulty_disk() = default;

rocksdb::Env& faulty_disk::environment() {
  return *environment_;
}

void faulty_disk::crash(random_source& chance, torn_end end) {
  std::lock_guard lock(state_->mutex);
  if (!state_->off)
    state_->crash(chance, end);
}

bool faulty_disk::is_on() const {
  std::lock_guard lock(state_->mutex);
  return !state_->off;
}

void faulty_disk::crash_at(uint64_t call, const random_source& chance, torn_end end) {
  std::lock_guard lock(state_->mutex);
  state_->crash_in = call;
  state_->crash_chance = chance;
  state_->crash_end = end;
}

void faulty_disk::start() {
  std::lock_guard lock(state_->mutex);
  state_->off = false;
}

void faulty_disk::fail(disk_call which, uint64_t number) {
  std::lock_guard lock(state_->mutex);
  auto kind = static_cast<size_t>(which);
  state_->failing[kind] = state_->calls[kind] + number;
}

void faulty_disk::fill_after(uint64_t bytes) {
  std::lock_guard lock(state_->mutex);
  state_->space = bytes;
}

void faulty_disk::drop_syncs_after(uint64_t syncs) {
  std::lock_guard lock(state_->mutex);
  state_->good_syncs = syncs;
}

void faulty_disk::flip_reads(uint64_t one_in, uint64_t seed) {
  std::lock_guard lock(state_->mutex);
  state_->flips_one_in = one_in;
  state_->chance = random_source(seed);
}

void faulty_disk::mend() {
  std::lock_guard lock(state_->mutex);
  state_->failing = {};
  state_->space = state_->good_syncs = never;
  state_->flips_one_in = 0;
}

uint64_t faulty_disk::calls(disk_call which) const {
  std::lock_guard lock(state_->mutex);
  return state_->calls[static_cast<size_t>(which)];
}

uint64_t faulty_disk::faults() const {
  std::lock_guard lock(state_->mutex);
  return state_->faults;
}

bool erase_range_natively(const std::string& directory, const std::string& from,
                          const std::string& end) {
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open({}, directory, &opened).ok())
    return false;
  std::unique_ptr<rocksdb::DB> database(opened);
  return database->DeleteRange({}, database->DefaultColumnFamily(), from, end).ok();
}

} // namespace troupe::testing
