// The members of a zip file: stored or deflated, also of more than 4 GiB (ZIP64).
// Source: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", 6.3 (4.3 and 4.5.3).
#pragma once

#include "actors/training/input/file_bytes.hpp"

namespace troupe::training {

struct zip_member {
  std::string name;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t packed = 0; // bytes in the file
  uint64_t size = 0;   // bytes when unpacked
  uint64_t header = 0; // where its local header is
};

// Bytes from `offset` up to `end`.
struct byte_range {
  std::shared_ptr<const file_bytes> bytes;
  uint64_t offset = 0;
  uint64_t end = 0;
};

// Errors: corrupt: no zip file, or a damaged one; io; invalid: it has more than 65,536 members or
// is in several parts.
result<std::vector<zip_member>> read_zip_directory(const file_bytes& archive);

// A stored member lies in the archive, a deflated one comes to lie in memory. Its checksum has been
// checked. Errors: corrupt; io; invalid: encrypted, of another method, or deflated from more than
// `most` bytes.
result<byte_range> open_zip_member(const std::shared_ptr<const file_bytes>& archive,
                                   const zip_member& member, uint64_t most);

} // namespace troupe::training
