#include "actors/lineage/layers.hpp"

#include "runtime/base/assert.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr int sweeps = 8; // over all columns, to and fro

// The length of the longest way to each node.
std::vector<size_t> columns_of(const picture& x) {
  std::vector<size_t> column(x.nodes.size(), 0);
  std::vector<size_t> left(x.nodes.size(), 0); // edges that lead to it from what has no column yet
  std::vector<std::vector<size_t>> next(x.nodes.size());
  for (const auto& each : x.edges) {
    TROUPE_ASSERT(each.from < x.nodes.size() && each.to < x.nodes.size());
    next[each.from].push_back(each.to);
    ++left[each.to];
  }
  std::vector<size_t> ready;
  for (size_t i = 0; i < left.size(); ++i)
    if (left[i] == 0)
      ready.push_back(i);
  for (size_t k = 0; k < ready.size(); ++k)
    for (auto to : next[ready[k]]) {
      column[to] = std::max(column[to], column[ready[k]] + 1);
      if (--left[to] == 0)
        ready.push_back(to);
    }
  return column;
}

using neighbours = std::vector<std::vector<size_t>>;

// Sorts a column by the mean place of the neighbours; who has none stays.
void sort_column(std::vector<size_t>& column, const neighbours& of,
                 const std::vector<double>& place) {
  std::vector<std::pair<double, size_t>> wanted;
  for (auto i : column) {
    double sum = 0;
    for (auto other : of[i])
      sum += place[other];
    wanted.emplace_back(of[i].empty() ? place[i] : sum / static_cast<double>(of[i].size()), i);
  }
  std::stable_sort(wanted.begin(), wanted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t k = 0; k < column.size(); ++k)
    column[k] = wanted[k].second;
}

void note_places(const std::vector<size_t>& column, std::vector<double>& place) {
  for (size_t k = 0; k < column.size(); ++k)
    place[column[k]] = (static_cast<double>(k) + 0.5) / static_cast<double>(column.size());
}

} // namespace

layered layers_of(const picture& x) {
  layered out;
  auto column = columns_of(x);
  out.count = x.nodes.size();
  auto columns = column.empty() ? 0 : *std::max_element(column.begin(), column.end()) + 1;
  out.order.resize(columns);
  for (size_t i = 0; i < x.nodes.size(); ++i)
    out.order[column[i]].push_back(i);
  neighbours before(x.nodes.size());
  neighbours after(x.nodes.size());
  for (size_t e = 0; e < x.edges.size(); ++e) {
    layered::way way{e, {x.edges[e].from}};
    for (auto c = column[x.edges[e].from] + 1; c < column[x.edges[e].to]; ++c) {
      out.order[c].push_back(out.count);
      way.through.push_back(out.count++);
    }
    way.through.push_back(x.edges[e].to);
    before.resize(out.count);
    after.resize(out.count);
    for (size_t k = 1; k < way.through.size(); ++k) {
      after[way.through[k - 1]].push_back(way.through[k]);
      before[way.through[k]].push_back(way.through[k - 1]);
    }
    out.ways.push_back(std::move(way));
  }
  std::vector<double> place(out.count, 0);
  for (const auto& each : out.order)
    note_places(each, place);
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    auto forwards = sweep % 2 == 0;
    for (size_t k = 0; k < columns; ++k) {
      auto& each = out.order[forwards ? k : columns - 1 - k];
      sort_column(each, forwards ? before : after, place);
      note_places(each, place);
    }
  }
  return out;
}

} // namespace troupe
