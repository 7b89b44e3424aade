// The bundles of a machine or a cluster: their records in the metadata store, as artifacts with
// their lineage, and their bytes in a chunk store.
//
// Guarantees, threads: as bundle_repository.
// Errors: those of bundle_repository, metadata and chunk_store.
#pragma once

#include "storage/bundles/bundle_repository.hpp"
#include "storage/metadata/metadata.hpp"

namespace troupe::storage {

class bundle_store final : public bundle_repository {
public:
  // Both outlive it. Puts the types of bundles where they are not there.
  static result<std::unique_ptr<bundle_store>> open(metadata& facts, chunk_store& bytes);

  // For who asks for records only: without bytes(), which asserts.
  static result<std::unique_ptr<bundle_store>> open_records(metadata& facts);

  using bundle_repository::add;
  using bundle_repository::make_context;

  result<void> make_context(std::string_view name, std::string_view remote) override;
  result<named_contexts> contexts() const override;
  result<kept_bundle> add(std::string_view context, const bundle& what,
                          const text_map& tags) override;
  result<kept_bundle> get(std::string_view uuid) const override;
  result<kept_bundle> latest(const bundle_query& wanted) const override;
  result<std::vector<kept_bundle>> find(const bundle_query& wanted) const override;
  result<kept_bundle> tag(std::string_view uuid, const text_map& tags) override;
  result<void> freeze(std::string_view context, std::string_view alias,
                      std::string_view uuid) override;
  result<std::string> frozen(std::string_view context, std::string_view alias) const override;
  result<void> remove(std::string_view uuid) override;
  result<std::vector<tree_id>> trees() const override;

  chunk_store& bytes() noexcept override {
    TROUPE_ASSERT(bytes_ != nullptr);
    return *bytes_;
  }

private:
  bundle_store(metadata& facts, chunk_store* bytes) : facts_(facts), bytes_(bytes) {}

  result<uint64_t> context_id(const metadata_view& in, std::string_view name) const;
  result<kept_bundle> kept(const metadata_view& in, const node& x) const;
  result<kept_bundle> set_state(const kept_bundle& x, node_state state);
  change_set set_of(const metadata_view& in, uint64_t context, const bundle& what,
                    const text_map& tags) const;

  metadata& facts_;
  chunk_store* bytes_;
};

} // namespace troupe::storage
