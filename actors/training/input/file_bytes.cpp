#include "actors/training/input/file_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace troupe::training {

error damaged(const std::string& path, const std::string& why) {
  return {errc::corrupt, path + " " + why + ": fetch or write the file again."};
}

error too_large(const std::string& path, uint64_t most) {
  return {errc::invalid, path + " unpacks to more than the " + std::to_string(most)
                           + " bytes that are read into memory: store it uncompressed."};
}

result<owned_fd> open_data_file(const std::string& path) {
  // O_NONBLOCK: a pipe is refused below and must not be waited for.
  owned_fd file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  struct stat found {};
  if (!file || ::fstat(file.get(), &found) != 0) {
    auto reason = errno;
    return {reason == ENOENT ? errc::not_found : errc::io,
            path + " cannot be opened, " + std::strerror(reason) + ": check the path."};
  }
  if (!S_ISREG(found.st_mode))
    return {errc::invalid, path + " is no regular file: name a file."};
  return file;
}

result<std::shared_ptr<const file_bytes>> file_bytes::open(const std::string& path) {
  auto file = open_data_file(path);
  if (!file)
    return file.error();
  struct stat found {};
  if (::fstat(file->get(), &found) != 0)
    return {errc::io, path + " cannot be read, " + std::strerror(errno) + ": check the disk."};
  std::shared_ptr<file_bytes> made{new file_bytes};
  made->path_ = path;
  made->file_ = *std::move(file);
  made->size_ = static_cast<uint64_t>(found.st_size);
  return std::shared_ptr<const file_bytes>(std::move(made));
}

std::shared_ptr<const file_bytes> file_bytes::of_memory(std::string path,
                                                        std::vector<std::byte> bytes) {
  std::shared_ptr<file_bytes> made{new file_bytes};
  made->path_ = std::move(path);
  made->memory_ = std::move(bytes);
  made->size_ = made->memory_.size();
  return made;
}

result<std::span<const std::byte>> file_bytes::view(uint64_t offset, size_t count,
                                                    std::vector<std::byte>& scratch) const {
  if (offset > size_ || count > size_ - offset)
    return damaged(path_, "ends too early");
  if (!file_)
    return std::span(memory_).subspan(offset, count);
  if (scratch.size() < count)
    scratch.resize(count);
  for (size_t done = 0; done < count;) {
    auto got = ::pread(file_.get(), scratch.data() + done, count - done,
                       static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return {errc::io, path_ + " cannot be read, " + std::strerror(errno) + ": check the disk."};
    if (got == 0)
      return damaged(path_, "has become shorter while it was read");
    done += static_cast<size_t>(got);
  }
  return std::span<const std::byte>(scratch).first(count);
}

} // namespace troupe::training
