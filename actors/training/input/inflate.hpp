// What gzip or zip has compressed, unpacked as it is read. Memory grows with what comes out, and
// only up to what the caller allows.
// Source: RFC 1951 (deflate) and RFC 1952 (gzip).
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct gzFile_s;

namespace troupe::training {

// A file from its beginning to its end: unpacked when it is gzip, as it is otherwise.
class inflating_file {
public:
  // Errors: not_found; io; invalid: it is no regular file.
  static result<inflating_file> open(const std::string& path);

  // The next bytes; fewer than `into` has room for at the end only. Errors: corrupt: bad or cut
  // short, which the checksum at the end shows at the latest.
  result<size_t> read(std::span<std::byte> into);

private:
  struct close {
    void operator()(gzFile_s* file) const;
  };

  inflating_file(std::string path, gzFile_s* file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  std::unique_ptr<gzFile_s, close> file_;
};

// All of it. Errors: as above, and invalid: more than `most` bytes.
result<std::vector<std::byte>> inflate_file(const std::string& path, uint64_t most);

// Unpacks a member of a zip file piece by piece.
class inflater {
public:
  inflater();
  ~inflater();
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;

  // Appends what `from` unpacks to. False: it is no such data, more follows than the end, or it is
  // more than `most` bytes in all.
  bool add(std::span<const std::byte> from, uint64_t most, std::vector<std::byte>& to);
  bool ended() const { return ended_; }

private:
  struct stream;
  std::unique_ptr<stream> stream_;
  bool ended_ = false;
};

// CRC-32 as in gzip and zip, of bytes that follow those with the sum `before` (0 at the beginning).
uint32_t crc32_of(std::span<const std::byte> bytes, uint32_t before);

} // namespace troupe::training
