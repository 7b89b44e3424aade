// A repository of bundles as a remote: what is pushed there is a bundle of it, with its lineage.
//
//   bundles/CONTEXT/UUID, tags/CONTEXT/UUID/...   the repository's records and tags
//   all else (packs/ index/ condemned/)           the objects that hold its bytes
//
// Guarantees: those of object_store, but for tags: what is put there changes the bundle's tags, of
// which only the newest are seen. Errors: those of both; errc::invalid: a record that is none.
// Threads: as object_store.
#pragma once

#include "storage/bundles/bundle_repository.hpp"

namespace troupe::storage {

class repository_objects final : public object_store {
public:
  // It outlives this.
  explicit repository_objects(bundle_repository& of)
    : bundles_(of), objects_(of.bytes().objects()) {}

  result<void> put(std::string_view name, std::string_view bytes) override;
  result<std::string> get(std::string_view name, uint64_t offset = 0,
                          uint64_t count = to_the_end) const override;
  result<std::optional<uint64_t>> size(std::string_view name) const override;
  result<void> list(std::string_view prefix, const visitor& visit) const override;
  result<void> remove(std::string_view name) override;

private:
  result<void> put_record(std::string_view context, std::string_view uuid, std::string_view bytes);
  result<void> put_tags(std::string_view uuid, std::string_view bytes);
  result<std::vector<kept_bundle>> matching(std::string_view prefix) const;

  bundle_repository& bundles_;
  object_store& objects_;
};

} // namespace troupe::storage
