#include "actors/training/idx_dataset.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace troupe::training {

namespace {

constexpr size_t bytes_max = size_t{1} << 30;
constexpr size_t piece = size_t{1} << 20;
constexpr uint32_t unsigned_bytes = 0x08; // the element type in the third byte of the magic number

struct close_file {
  void operator()(gzFile_s* file) const { gzclose(file); }
};
using file_handle = std::unique_ptr<gzFile_s, close_file>;

error corrupt(const std::string& path, const std::string& why) {
  return {errc::corrupt, path + " " + why + ": fetch the file again."};
}

// Reads `size` bytes after those in `into`.
result<void> read_exactly(gzFile file, const std::string& path, size_t size,
                          std::vector<uint8_t>& into) {
  while (size > 0) {
    auto wanted = std::min(size, piece);
    auto start = into.size();
    into.resize(start + wanted);
    auto got = gzread(file, into.data() + start, static_cast<unsigned>(wanted));
    if (got < 0)
      return corrupt(path, "is not readable as gzip");
    if (static_cast<size_t>(got) < wanted)
      return corrupt(path, "ends too early");
    size -= wanted;
  }
  return {};
}

struct idx_file {
  std::vector<size_t> extents;
  std::vector<uint8_t> bytes;
};

uint32_t big_endian(std::span<const uint8_t> bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

result<idx_file> read_idx(const std::string& path, uint32_t dimensions) {
  errno = 0;
  file_handle file{gzopen(path.c_str(), "rb")};
  if (!file) {
    auto reason = errno;
    return {reason == ENOENT ? errc::not_found : errc::io,
            path + " cannot be opened, " + std::strerror(reason)
              + ": install the package dataset-fashion-mnist, or name another directory."};
  }
  gzbuffer(file.get(), 1 << 17);
  std::vector<uint8_t> header;
  TROUPE_TRY(read_exactly(file.get(), path, 4, header));
  if (big_endian(header) != (unsigned_bytes << 8 | dimensions))
    return corrupt(path, "has no IDX header of unsigned bytes in " + std::to_string(dimensions)
                           + " dimensions");
  TROUPE_TRY(read_exactly(file.get(), path, 4 * size_t{dimensions}, header));
  idx_file content;
  size_t total = 1;
  for (size_t i = 0; i < dimensions; ++i) {
    size_t extent = big_endian(std::span(header).subspan(4 + 4 * i, 4));
    if (extent == 0)
      return corrupt(path, "is empty");
    if (extent > bytes_max / total)
      return corrupt(path, "claims more than 1 GiB");
    total *= extent;
    content.extents.push_back(extent);
  }
  TROUPE_TRY(read_exactly(file.get(), path, total, content.bytes));
  // The end must come here; reaching it also checks gzip's checksum.
  std::array<uint8_t, 1> beyond{};
  auto got = gzread(file.get(), beyond.data(), 1);
  if (got > 0)
    return corrupt(path, "is longer than its header says");
  int status = Z_OK;
  gzerror(file.get(), &status);
  if (got < 0 || (status != Z_OK && status != Z_STREAM_END))
    return corrupt(path, "does not end as gzip does");
  return content;
}

} // namespace

result<idx_dataset> read_idx_dataset(const std::string& images, const std::string& labels,
                                     size_t classes) {
  auto pictures = read_idx(images, 3);
  if (!pictures)
    return pictures.error();
  auto names = read_idx(labels, 1);
  if (!names)
    return names.error();
  if (names->extents[0] != pictures->extents[0])
    return corrupt(labels, "has " + std::to_string(names->extents[0]) + " labels for "
                             + std::to_string(pictures->extents[0]) + " images");
  auto largest = *std::max_element(names->bytes.begin(), names->bytes.end());
  if (largest >= classes)
    return corrupt(labels, "has a label " + std::to_string(largest) + " where only "
                             + std::to_string(classes) + " classes exist");
  idx_dataset data;
  data.rows = pictures->extents[1];
  data.columns = pictures->extents[2];
  data.pixels = std::move(pictures->bytes);
  data.labels = std::move(names->bytes);
  return data;
}

} // namespace troupe::training
