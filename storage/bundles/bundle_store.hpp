// The bundles of a machine or a cluster: their records in the metadata store, as artifacts with
// their lineage, and their bytes in a chunk store. A bundle is in one context.
//
// Guarantees: a bundle that was added is durable and never changes, but for its tags. What is
// removed stays in the lineage of what was made of it; its bytes go with the next sweep. Contexts
// see each other's bundles as sources only.
// Threads: every function from any thread. They block: not for a scheduler thread.
// Errors: errc::invalid, errc::not_found, errc::already_exists, and those of metadata and
// chunk_store.
#pragma once

#include "storage/bundles/bundle.hpp"
#include "storage/bytes/chunk_store.hpp"
#include "storage/metadata/metadata.hpp"

namespace troupe::storage {

// A bundle as it is kept.
struct kept_bundle {
  bundle what;
  std::string context;
  text_map tags{};
  bool removed = false;
  uint64_t version = 0;  // one more with each change of the tags
  uint64_t artifact = 0; // its id in the metadata
};

struct bundle_query {
  std::string context;
  std::string name{};            // empty: of any
  std::string processing_name{}; // the same
  text_map tags{};               // all of them
  bool removed = false;          // those that were removed, too
};

class bundle_store {
public:
  // Both outlive it. Puts the types of bundles where they are not there.
  static result<std::unique_ptr<bundle_store>> open(metadata& facts, chunk_store& bytes);

  // `remote` is kept for people and programs; empty: none. A context that is there keeps what it
  // has, but for the remote where one is given.
  result<void> make_context(std::string_view name, std::string_view remote = {});
  // By name, with the remotes.
  result<std::vector<std::pair<std::string, std::string>>> contexts() const;

  // The bundle has its tree in the chunk store already. One of the same uuid that is there is left
  // as it is; with another content it is errc::already_exists.
  result<kept_bundle> add(std::string_view context, const bundle& what, const text_map& tags = {});

  // By uuid, whatever its context is; also one that was removed.
  result<kept_bundle> get(std::string_view uuid) const;

  // The one that was made last. errc::not_found: there is none.
  result<kept_bundle> latest(const bundle_query& wanted) const;
  // Those that were made last come first.
  result<std::vector<kept_bundle>> find(const bundle_query& wanted) const;

  // Sets these tags; an empty value takes a tag away.
  result<kept_bundle> tag(std::string_view uuid, const text_map& tags);

  // A name for one bundle of the context, which never means another one.
  result<void> freeze(std::string_view context, std::string_view alias, std::string_view uuid);
  result<std::string> frozen(std::string_view context, std::string_view alias) const;

  // Done also where it was removed before.
  result<void> remove(std::string_view uuid);

  // The trees of all bundles that were not removed: the roots of a sweep.
  result<std::vector<tree_id>> trees() const;

  chunk_store& bytes() noexcept { return bytes_; }

private:
  bundle_store(metadata& facts, chunk_store& bytes) : facts_(facts), bytes_(bytes) {}

  result<uint64_t> context_id(const metadata_view& in, std::string_view name) const;
  result<kept_bundle> kept(const metadata_view& in, const node& x) const;
  change_set set_of(const metadata_view& in, uint64_t context, const bundle& what,
                    const text_map& tags) const;

  metadata& facts_;
  chunk_store& bytes_;
};

} // namespace troupe::storage
