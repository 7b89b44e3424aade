// Bundles on a remote: a directory, S3, another cluster. What is there:
//
//   packs/ index/ ...              the chunks, as in every chunk store
//   bundles/CONTEXT/UUID           the record of a bundle; it is put after its chunks
//   tags/CONTEXT/UUID/VERSION-HASH its tags; the highest name holds
//   removed/CONTEXT/UUID           the record of one that was removed there: it stays in the
//                                  lineage of what was made of it
//
// Guarantees: what another machine sees is whole. What is interrupted and said again moves only
// what is missing. Several machines push and pull at once. A pull beside a removal may fail with
// errc::not_found; said again it works.
// Errors: errc::not_found, errc::corrupt, and those of bundle_repository, object_store and
// transfer. Threads: plain functions. They block: not for a scheduler thread.
#pragma once

#include "storage/bundles/bundle_repository.hpp"
#include "storage/bytes/transfer.hpp"

namespace troupe::storage {

// What was moved.
struct bundles_moved {
  uint64_t bundles = 0; // records
  transferred bytes{};
};

// These bundles of one context; those that are there get the tags that they have here.
result<bundles_moved> push_bundles(bundle_repository& from, std::span<const std::string> uuids,
                                   object_store& to, const transfer_options& how = {});

struct pull_request {
  std::string context;              // made here where it is not
  std::string name{};               // only of this name; empty: of any
  std::vector<std::string> uuids{}; // only these; empty: all
  bool with_bytes = true;           // else their records only: what they are, not what they hold
};

// And the records of what they were made of, as far as the remote has them, so that their lineage
// is here; those that were removed there are removed here, too, where they were not known. Bundles
// that are here already stay as they are; their bytes are brought if they are not here. A bundle
// that was removed here stays removed, unless it is one of `uuids`.
result<bundles_moved> pull_bundles(bundle_repository& into, const pull_request& wanted,
                                   object_store& from, const transfer_options& how = {});

// The records of a context, those that were made last first.
result<std::vector<bundle>> list_bundles(const object_store& on, std::string_view context);

// errc::not_found: the remote has none, or it was removed there.
result<bundle> get_bundle(const object_store& on, std::string_view context, std::string_view uuid);

// Of a directory or S3; a repository removes its own. Done also where it is not there. Its bytes go
// with the remote's next sweep; its record stays for the lineage, unless it cannot be read. Who
// pushes it again brings it back.
result<void> remove_bundle(object_store& on, std::string_view context, std::string_view uuid);

// The trees of all bundles of all contexts: the roots of a sweep of the remote's chunks.
result<std::vector<tree_id>> trees_of_remote(const object_store& on);

} // namespace troupe::storage
