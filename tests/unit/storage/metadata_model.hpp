// The metadata store in the simplest form: maps, copied for each change. It says what a change set
// does and what a question finds.
#pragma once

#include "runtime/base/random.hpp"
#include "storage/metadata/lineage.hpp"
#include "storage/metadata/metadata.hpp"

#include <set>

namespace troupe::storage {

struct metadata_model {
  using place = std::pair<node_kind, uint64_t>;

  std::map<place, node> nodes;
  std::map<std::tuple<uint64_t, uint64_t, event_type>, event> events; // execution, artifact, type
  std::set<std::tuple<link_kind, uint64_t, uint64_t>> links;
  uint64_t sequence = 0;

  // What the set makes of it; empty where it has to be refused. Types are 1 to 6, two of each kind.
  std::optional<metadata_model> after(const change_set& set) const;

  // How far everything is from a start, by hops.
  std::map<place, uint32_t> reachable(place start, lineage_direction way) const;

  std::set<uint64_t> matching(node_kind kind, const std::function<bool(const node&)>& wanted) const;

  bool operator==(const metadata_model&) const = default;

private:
  std::optional<place> put(const node_put& x);
  bool clashes(const node& x) const;
  uint64_t last_of(node_kind kind) const;
  bool has_cycle() const;
  bool is_above(uint64_t context, uint64_t other) const;
  std::vector<place> next_to(place at, lineage_direction way) const;
};

// A change set of a few nodes, events and links: some of it refers to nothing, or clashes.
change_set random_set(random_source& chance, const metadata_model& now);

// What the store holds, read through a view. Times are left out.
metadata_model model_of(const metadata_view& in);

} // namespace troupe::storage
