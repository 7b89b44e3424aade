// Where bundles are kept: a store of this machine (bundle_store.hpp), or a cluster that is asked.
// A bundle is in one context.
//
// Guarantees: a bundle that was added is durable and never changes, but for its tags. What is
// removed stays in the lineage of what was made of it; its bytes go with the next sweep. Contexts
// see each other's bundles as sources only.
// Threads: every function from any thread. They block: not for a scheduler thread.
// Errors: errc::invalid, errc::not_found, errc::already_exists, and those of where they are kept.
#pragma once

#include "storage/bundles/bundle.hpp"
#include "storage/bytes/chunk_store.hpp"

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

class bundle_repository {
public:
  using named_contexts = std::vector<std::pair<std::string, std::string>>;

  virtual ~bundle_repository() = default;

  // `remote` is kept for people and programs; empty: none. A context that is there keeps what it
  // has, but for the remote where one is given.
  virtual result<void> make_context(std::string_view name, std::string_view remote) = 0;
  result<void> make_context(std::string_view name) { return make_context(name, {}); }

  // By name, with the remotes.
  virtual result<named_contexts> contexts() const = 0;

  // The bundle has its tree in the chunk store already. One of the same uuid that is there is left
  // as it is, and is back where it was removed; with another content it is errc::already_exists.
  virtual result<kept_bundle> add(std::string_view context, const bundle& what,
                                  const text_map& tags)
    = 0;
  result<kept_bundle> add(std::string_view context, const bundle& what) {
    return add(context, what, {});
  }

  // By uuid, whatever its context is; also one that was removed.
  virtual result<kept_bundle> get(std::string_view uuid) const = 0;

  // The one that was made last. errc::not_found: there is none.
  virtual result<kept_bundle> latest(const bundle_query& wanted) const = 0;
  // Those that were made last come first.
  virtual result<std::vector<kept_bundle>> find(const bundle_query& wanted) const = 0;

  // Sets these tags; an empty value takes a tag away.
  virtual result<kept_bundle> tag(std::string_view uuid, const text_map& tags) = 0;

  // A name for one bundle of the context, which never means another one.
  virtual result<void> freeze(std::string_view context, std::string_view alias,
                              std::string_view uuid)
    = 0;
  virtual result<std::string> frozen(std::string_view context, std::string_view alias) const = 0;

  // Done also where it was removed before.
  virtual result<void> remove(std::string_view uuid) = 0;

  // The trees of all bundles that were not removed. Of some the bytes may be elsewhere: they came
  // as records only.
  virtual result<std::vector<tree_id>> trees() const = 0;

  // Where the bytes are.
  virtual chunk_store& bytes() noexcept = 0;
};

// Those of the trees whose bytes are in the store: the roots of a sweep.
// Errors: those of the store.
result<std::vector<tree_id>> trees_that_are_here(const chunk_store& bytes,
                                                 std::span<const tree_id> all);

} // namespace troupe::storage
