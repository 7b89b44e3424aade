// A lineage as indented text.
// Threads: plain functions.
#pragma once

#include "storage/metadata/lineage.hpp"

#include <string>
#include <vector>

namespace troupe {

// One line: "artifact 12 Model /data/model.bin sha256 0123456789ab".
std::string line_of(const storage::node& x, const storage::type_catalog& types);

// Each node once, below the one that the walk came to it from:
//
//   artifact 12 Model /data/model.bin sha256 0123456789ab
//     made by execution 7 Train
//       from artifact 3 Data /data/train.csv sha256 ba9876543210
std::string as_tree(const storage::lineage_graph& x, const storage::type_catalog& types);

// What two lineages have not in common, a line for each node: nodes are the same where their types,
// names and hashes are, and executions their properties too, but for those that say which run it
// was.
struct lineage_difference {
  std::vector<std::string> only_first;
  std::vector<std::string> only_second;
};

lineage_difference difference(const storage::lineage_graph& first,
                              const storage::type_catalog& types_of_first,
                              const storage::lineage_graph& second,
                              const storage::type_catalog& types_of_second);

} // namespace troupe
