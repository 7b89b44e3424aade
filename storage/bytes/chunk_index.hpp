// Where each chunk of a store lies, in memory: about 80 bytes for each.
// Threads: none of its own; not safe for concurrent changes.
#pragma once

#include "storage/bytes/chunk_pack.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace troupe::storage {

struct chunk_place {
  uint32_t pack = 0;   // the index's number for it
  uint32_t offset = 0; // of the body in the pack
  uint32_t size = 0;   // of the chunk
  uint32_t stored = 0; // of the body
};

class chunk_index {
public:
  // Of a chunk that is in several packs the first place is kept.
  void add(const pack_section& section);

  // Makes room for that many chunks more.
  void reserve(size_t chunks) { places_.reserve(places_.size() + chunks); }

  bool contains(const chunk_id& id) const { return places_.contains(id); }
  std::optional<chunk_place> find(const chunk_id& id) const;
  const pack_id& pack(uint32_t number) const { return packs_.at(number); }
  size_t chunks() const noexcept { return places_.size(); }

private:
  std::vector<pack_id> packs_;
  std::unordered_map<chunk_id, chunk_place, content_id_hash> places_;
};

} // namespace troupe::storage
