#include "storage/bundles/bundle_repository.hpp"

namespace troupe::storage {

result<std::vector<tree_id>> trees_that_are_here(const chunk_store& bytes,
                                                 std::span<const tree_id> all) {
  TROUPE_TRY(bytes.refresh());
  std::vector<tree_id> out;
  for (const auto& each : all) {
    auto root = bytes.get(each); // it is put last, so that the others are there
    if (root)
      out.push_back(each);
    else if (root.error().code != errc::not_found)
      return root.error();
  }
  return out;
}

} // namespace troupe::storage
