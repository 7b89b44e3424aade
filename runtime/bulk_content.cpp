#include "runtime/bulk_content.hpp"

#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace troupe {

namespace {

constexpr uint64_t sync_interval = 64
                                   << 20; // bytes; the last sync, which a peer waits for, is short

error system_error_of(const char* what, const std::string& path) {
  auto code = errno == ENOENT ? errc::not_found : errno == EACCES ? errc::refused : errc::io;
  return {code, std::string{"cannot "} + what + " '" + path + "': " + std::strerror(errno)
                  + "; check the path, who owns it, and the room on its disk"};
}

result<void> read_at(const owned_fd& file, const std::string& path, uint64_t offset,
                     std::span<std::byte> out) {
  while (!out.empty()) {
    auto got = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return system_error_of("read", path);
    if (got == 0)
      return {errc::io, "'" + path
                          + "' became shorter while it was sent; offer it again when it "
                            "no longer changes"};
    offset += static_cast<uint64_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
  return {};
}

class file_source final : public bulk_source {
public:
  file_source(std::string path, owned_fd file, uint64_t size)
    : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  uint64_t size() const override { return size_; }

  result<void> read(uint64_t offset, std::span<std::byte> out) override {
    return read_at(file_, path_, offset, out);
  }

private:
  std::string path_;
  owned_fd file_;
  uint64_t size_;
};

class memory_source final : public bulk_source {
public:
  explicit memory_source(std::vector<std::byte> content) : content_(std::move(content)) {}

  uint64_t size() const override { return content_.size(); }

  result<void> read(uint64_t offset, std::span<std::byte> out) override {
    std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

private:
  std::vector<std::byte> content_;
};

class file_sink final : public bulk_sink {
public:
  explicit file_sink(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}

  result<uint64_t> begin(uint64_t size) override {
    if (!file_)
      TROUPE_TRY(open());
    struct stat facts {};
    if (::fstat(file_.get(), &facts) != 0)
      return system_error_of("look at", part_);
    auto held = static_cast<uint64_t>(facts.st_size);
    if (held <= size)
      return held;
    discard();
    return uint64_t{0};
  }

  result<void> read(uint64_t offset, std::span<std::byte> out) override {
    return read_at(file_, part_, offset, out);
  }

  result<void> write(uint64_t offset, std::span<const std::byte> bytes) override {
    unsynced_ += bytes.size();
    while (!bytes.empty()) {
      auto put = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR)
        continue;
      if (put < 0)
        return system_error_of("write", part_);
      offset += static_cast<uint64_t>(put);
      bytes = bytes.subspan(static_cast<size_t>(put));
    }
    if (unsynced_ < sync_interval)
      return {};
    unsynced_ = 0;
    // Waits for what was begun the last time, and begins what came since.
    if (::sync_file_range(file_.get(), 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE)
        != 0)
      return system_error_of("write", part_);
    return {};
  }

  result<void> commit() override {
    if (::fsync(file_.get()) != 0)
      return system_error_of("write", part_);
    if (std::rename(part_.c_str(), path_.c_str()) != 0)
      return system_error_of("create", path_);
    file_ = owned_fd{};
    auto folder = std::filesystem::path{path_}.parent_path().string();
    owned_fd directory{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!directory || ::fsync(directory.get()) != 0)
      return system_error_of("write the directory of", path_);
    return {};
  }

  void discard() override { [[maybe_unused]] auto emptied = ::ftruncate(file_.get(), 0); }

private:
  result<void> open() {
    owned_fd file{
      ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)};
    if (!file)
      return system_error_of("create", part_);
    // Another may have renamed it between our open and our lock: then it is no part any more.
    struct stat mine {};
    struct stat named {};
    auto ours = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && ::fstat(file.get(), &mine) == 0
                && ::lstat(part_.c_str(), &named) == 0 && mine.st_ino == named.st_ino
                && S_ISREG(mine.st_mode);
    if (!ours)
      return {errc::already_exists, "'" + part_
                                      + "' is in use, or is no plain file; wait until the "
                                        "other transfer to it has ended"};
    file_ = std::move(file);
    unsynced_ = 0;
    return {};
  }

  std::string path_;
  std::string part_;
  owned_fd file_;
  uint64_t unsynced_ = 0;
};

} // namespace

result<std::shared_ptr<bulk_source>> open_bulk_file(const std::string& path) {
  owned_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0)
    return system_error_of("read", path);
  if (!S_ISREG(facts.st_mode))
    return {errc::invalid, "'" + path + "' is no plain file; name one, or pack the folder first"};
  return std::make_shared<file_source>(path, std::move(file), static_cast<uint64_t>(facts.st_size));
}

std::shared_ptr<bulk_source> bulk_of_memory(std::vector<std::byte> content) {
  return std::make_shared<memory_source>(std::move(content));
}

std::shared_ptr<bulk_sink> bulk_to_file(std::string path) {
  return std::make_shared<file_sink>(std::move(path));
}

result<uint64_t> bulk_to_memory::begin(uint64_t size) {
  if (size > size_max_)
    return {errc::invalid, "content of " + std::to_string(size) + " bytes is more than the "
                             + std::to_string(size_max_) + " that fit here; fetch it to a file"};
  if (content_.size() > size)
    discard();
  return content_.size();
}

result<void> bulk_to_memory::read(uint64_t offset, std::span<std::byte> out) {
  std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  return {};
}

result<void> bulk_to_memory::write(uint64_t offset, std::span<const std::byte> bytes) {
  content_.resize(static_cast<size_t>(offset));
  content_.insert(content_.end(), bytes.begin(), bytes.end());
  return {};
}

} // namespace troupe
