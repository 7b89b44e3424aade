#include "storage/bytes/chunk_index.hpp"

namespace troupe::storage {

void chunk_index::add(const pack_section& section) {
  auto number = static_cast<uint32_t>(packs_.size());
  packs_.push_back(section.name);
  auto offset = static_cast<uint32_t>(pack_head_size);
  for (auto& each : section.entries) {
    offset += static_cast<uint32_t>(chunk_entry_size);
    places_.try_emplace(each.id, chunk_place{number, offset, each.size, each.stored});
    offset += each.stored;
  }
}

std::optional<chunk_place> chunk_index::find(const chunk_id& id) const {
  auto found = places_.find(id);
  return found == places_.end() ? std::nullopt : std::optional{found->second};
}

} // namespace troupe::storage
