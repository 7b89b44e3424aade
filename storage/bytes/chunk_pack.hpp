// The bytes of packs, index objects and condemned records; the grammar is in formats.md.
// Threads: a pack_builder has one; the rest are plain functions.
#pragma once

#include "runtime/base/result.hpp"
#include "storage/bytes/compression.hpp"
#include "storage/bytes/content_id.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

inline constexpr uint32_t chunk_size_max = 4u << 20; // bytes; the least is 1
inline constexpr size_t pack_head_size = 16;         // of a pack: the magic and the salt
inline constexpr size_t chunk_entry_size = 48;

// What a pack and an index say of a chunk.
struct chunk_entry {
  chunk_id id;
  uint32_t size = 0;   // bytes of the chunk
  uint32_t stored = 0; // bytes of its body: fewer where it is compressed
  uint64_t sum = 0;    // XXH3 of the body

  bool operator==(const chunk_entry&) const = default;
};

chunk_entry entry_of(const chunk_id& id, size_t size, std::string_view body);

// The chunks of a pack in their order: each body follows its entry.
struct pack_section {
  pack_id name;
  std::vector<chunk_entry> entries;

  bool operator==(const pack_section&) const = default;
};

struct built_pack {
  pack_section section;
  std::string bytes;
};

// Where a pack lies: "packs/ab/abcd...".
std::string pack_object(const pack_id& name);

// Gathers chunks.
class pack_builder {
public:
  // `room`: bytes that a pack will have, about.
  explicit pack_builder(size_t room = 0) : room_(room) {}

  void add(const chunk_entry& entry, std::string_view body);

  // The chunks of another one, behind its own.
  void append(pack_builder&& other);

  bool empty() const noexcept { return entries_.empty(); }
  size_t size() const noexcept { return bytes_.size(); }

  // The pack, under the first name, by its salt, that `taken` does not say is taken; the builder is
  // empty afterwards.
  built_pack take(const std::function<bool(const pack_id&)>& taken);

private:
  size_t room_;
  std::vector<chunk_entry> entries_;
  std::string bytes_; // empty, or with its head
};

// The content of a chunk, checked against its name; valid until the next call with the same
// arguments. Errors: errc::corrupt, naming the chunk and the pack.
class chunk_opener {
public:
  result<std::string_view> open(const chunk_id& id, uint32_t size, std::string_view body,
                                const pack_id& pack);

private:
  decompressor decompressor_;
  sha256_hasher hasher_;
};

// The entries of a whole pack: every byte of it is checked. Errors: errc::corrupt.
result<std::vector<chunk_entry>> read_pack(const pack_id& name, std::string_view bytes);

std::string encode_index(std::span<const pack_section> sections);

// `name`: that of the object, without its folder. Errors: errc::corrupt.
result<std::vector<pack_section>> decode_index(std::string_view name, std::string_view bytes);

// Packs that no index names any more, or none did: `time_s` (since 1970) is when that was found.
// Of a pack whose content is not known the section is empty.
struct condemned_record {
  int64_t time_s = 0;
  std::vector<pack_section> sections;
};

std::string encode_condemned(const condemned_record& x);
result<condemned_record> decode_condemned(std::string_view name, std::string_view bytes);

} // namespace troupe::storage
