// Where a question begins: the fewest nodes that the indexes can tell to hold all answers.
// Threads: as the view.
#pragma once

#include "storage/metadata/filter.hpp"
#include "storage/metadata/view.hpp"

namespace troupe::storage {

// Every node that matches the filter is among these; not all of them have to match.
struct filter_candidates {
  std::optional<std::vector<uint64_t>> ids{}; // ascending, each once
  uint64_t type = 0;                          // else all nodes of that type; 0: all of the kind
};

result<filter_candidates> plan_filter(const metadata_view& in, const filter& wanted);

} // namespace troupe::storage
