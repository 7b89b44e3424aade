// What was made of what: walks over events, from artifacts or executions.
//
// One hop is one event: from an artifact to an execution, or back. A walk goes in breadth; each
// node is in the answer once, with its distance from the nearest start.
// Threads: as the view.
// Errors: errc::invalid (no start, a filter), errc::not_found (a start), and those of the view.
#pragma once

#include "storage/metadata/view.hpp"

namespace troupe::storage {

enum class lineage_direction : uint8_t { upstream, downstream, both };

struct lineage_request {
  std::vector<std::pair<node_kind, uint64_t>> from{};
  std::string artifacts{};  // a filter: those that match are starts too; empty: none
  std::string executions{}; // the same
  lineage_direction direction = lineage_direction::both;
  uint32_t hops_max = 100;
  size_t nodes_max = 10'000;

  // Where the walk ends: at nodes that match. They are part of the answer, with the events that
  // lead to them, if `with_ends`. A start that matches is an end as well. Empty: nowhere.
  std::string ending_artifacts{};
  std::string ending_executions{};
  bool with_ends = true;

  bool with_contexts = false; // of all nodes of the answer
};

struct lineage_node {
  uint32_t hops = 0;
  node what;
};

struct lineage_graph {
  std::vector<lineage_node> nodes; // by hops, then in the order of the walk
  std::vector<event> events;       // those that the walk went along, each once
  std::vector<node> contexts;
  std::vector<link> links;
  bool truncated = false; // nodes_max was reached
};

// At most so many starts come from a filter.
inline constexpr size_t lineage_starts_max = 1'000;

result<lineage_graph> lineage(const metadata_view& in, const lineage_request& wanted);

} // namespace troupe::storage
