// The columns of a picture, and the order in each.
// Threads: plain functions.
#pragma once

#include "actors/lineage/picture.hpp"

namespace troupe {

struct layered {
  // An edge and what it leads through: from its node over the places that it passes to the other.
  struct way {
    size_t edge = 0;
    std::vector<size_t> through;
  };

  size_t count = 0;                       // of nodes, and behind them of places that edges pass
  std::vector<std::vector<size_t>> order; // of each column, from above
  std::vector<way> ways;
};

// Each node is in the column after the last of those that lead to it.
layered layers_of(const picture& x);

} // namespace troupe
