// The bytes of a file of data, read at any place.
//
// They are read with pread, not mapped: a file that was cut short, or a disk that fails, is then an
// error of one read and not the end of the process; beside the work on a sample the system call is
// not seen. Threads: any number may read at once.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace troupe::training {

// What is unpacked into memory may have this many bytes, unless a caller says otherwise.
inline constexpr uint64_t unpacked_max = uint64_t{4} << 30;

class file_bytes {
public:
  // Errors: not_found; io; invalid: it is no regular file.
  static result<std::shared_ptr<const file_bytes>> open(const std::string& path);

  // The same; what gzip has compressed is unpacked into memory. Errors: also corrupt, and invalid:
  // it unpacks to more than `most` bytes.
  static result<std::shared_ptr<const file_bytes>> open_unpacked(const std::string& path,
                                                                 uint64_t most = unpacked_max);

  // Bytes in memory; `path` is for error texts.
  static std::shared_ptr<const file_bytes> of_memory(std::string path,
                                                     std::vector<std::byte> bytes);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

  // `count` bytes at `offset`: where they lie in memory, or read into `scratch`, which is grown
  // when it is too small. Errors: corrupt, where the file ends before them; io.
  result<std::span<const std::byte>> view(uint64_t offset, size_t count,
                                          std::vector<std::byte>& scratch) const;

private:
  file_bytes() = default;

  std::string path_;
  owned_fd file_; // invalid where the bytes are in memory
  std::vector<std::byte> memory_;
  uint64_t size_ = 0;
};

// Opens a regular file for reading; links are followed. Errors: not_found; io; invalid.
result<owned_fd> open_data_file(const std::string& path);

// The error of a file that fails a check: "PATH WHY".
error damaged(const std::string& path, const std::string& why);

// The error of a file that holds more than `most` bytes for memory.
error too_large(const std::string& path, uint64_t most);

} // namespace troupe::training
