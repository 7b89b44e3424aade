// The bundles of a running cluster, for programs: a repository, and the objects that hold the
// bytes, both through messages to its desk (bundle_desk.hpp).
//
//   auto& link = cluster->link(); // of a client, see actors/cluster/client.hpp
//   cluster_objects objects(link);
//   auto chunks = chunk_store::open(objects);
//   cluster_bundles bundles(link, *chunks);
//
// Guarantees: those of bundle_repository and object_store. A master that dies is back in a moment:
// a call then asks the next one the same, until its deadline.
// Limits: those of bundle_messages.hpp. Errors: errc::unavailable when no cluster answers; the
// desk's own, as they were.
// Threads: every function from any. They block: never call one in an actor.
#pragma once

#include "actors/cluster/client_link.hpp"
#include "storage/bundles/bundle_repository.hpp"

namespace troupe {

// The link outlives it.
class cluster_objects final : public storage::object_store {
public:
  explicit cluster_objects(client_link& desk) : desk_(desk) {}

  result<void> put(std::string_view name, std::string_view bytes) override;
  result<std::string> get(std::string_view name, uint64_t offset = 0,
                          uint64_t count = to_the_end) const override;
  result<std::optional<uint64_t>> size(std::string_view name) const override;
  result<void> list(std::string_view prefix, const visitor& visit) const override;
  result<void> remove(std::string_view name) override;

private:
  result<void> put_once(std::string_view name, std::string_view bytes);

  client_link& desk_;
};

class cluster_bundles final : public storage::bundle_repository {
public:
  // Both outlive it. `bytes`: of the same cluster.
  cluster_bundles(client_link& desk, storage::chunk_store& bytes) : desk_(desk), bytes_(bytes) {}

  using bundle_repository::add;
  using bundle_repository::make_context;

  result<void> make_context(std::string_view name, std::string_view remote) override;
  result<named_contexts> contexts() const override;
  result<storage::kept_bundle> add(std::string_view context, const storage::bundle& what,
                                   const storage::text_map& tags) override;
  result<storage::kept_bundle> get(std::string_view uuid) const override;
  result<storage::kept_bundle> latest(const storage::bundle_query& wanted) const override;
  result<std::vector<storage::kept_bundle>>
  find(const storage::bundle_query& wanted) const override;
  result<storage::kept_bundle> tag(std::string_view uuid, const storage::text_map& tags) override;
  result<void> freeze(std::string_view context, std::string_view alias,
                      std::string_view uuid) override;
  result<std::string> frozen(std::string_view context, std::string_view alias) const override;
  result<void> remove(std::string_view uuid) override;
  result<std::vector<storage::tree_id>> trees() const override;
  storage::chunk_store& bytes() noexcept override { return bytes_; }

private:
  client_link& desk_;
  storage::chunk_store& bytes_;
};

} // namespace troupe
