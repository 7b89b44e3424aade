// A lineage as a picture: made from left to right, each node right of what it was made of.
// Threads: plain functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

struct picture_node {
  std::vector<std::string> lines; // UTF-8; the first is the title
  bool round = false;             // an execution, else an artifact
  std::string colour{};           // "#rrggbb"; empty: white
};

// An arrow from one node to another, by their indexes.
struct picture_edge {
  size_t from = 0;
  size_t to = 0;
  std::string text{};
};

struct picture {
  std::vector<picture_node> nodes;
  std::vector<picture_edge> edges; // they lead in no circle
};

// For Graphviz.
std::string as_dot(const picture& x);

// An image of its own: a box for each node, in columns by the longest way from what nothing made;
// arrows pass between boxes, never behind them (after Sugiyama, Tagawa, Toda, "Methods for visual
// understanding of hierarchical system structures", 1981).
std::string as_svg(const picture& x);

} // namespace troupe
