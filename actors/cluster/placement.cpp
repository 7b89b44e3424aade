#include "actors/cluster/placement.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

namespace troupe {
namespace {

struct demand {
  const gang_type* type;
  uint32_t index;
};

std::vector<demand> demands_of(const waiting_gang& gang) {
  std::vector<demand> out;
  for (auto& type : gang.types)
    for (uint32_t i = 0; i < type.instances; ++i)
      out.push_back({&type, i});
  return out;
}

// The nodes that hold a task of the type are in a heap, the best of them first.
std::optional<assignment> spread(std::vector<node_room>& nodes, const waiting_gang& gang) {
  assignment out{gang.job, {}};
  std::vector<uint32_t> given(nodes.size());
  auto worse = [&](size_t a, size_t b) {
    return std::tuple{given[a], nodes[b].free.cpus, a}
           > std::tuple{given[b], nodes[a].free.cpus, b};
  };
  for (auto& type : gang.types) {
    std::vector<size_t> heap;
    for (size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].holds(type.each, type.labels))
        heap.push_back(i);
    std::make_heap(heap.begin(), heap.end(), worse);
    for (uint32_t index = 0; index < type.instances; ++index) {
      if (heap.empty())
        return {};
      std::pop_heap(heap.begin(), heap.end(), worse);
      auto& node = nodes[heap.back()];
      node.free -= type.each;
      ++given[heap.back()];
      out.tasks.push_back({type.type, index, std::string{node.name}});
      if (node.holds(type.each, type.labels))
        std::push_heap(heap.begin(), heap.end(), worse);
      else
        heap.pop_back();
    }
  }
  return out;
}

std::optional<assignment> pack(std::vector<node_room>& nodes, const waiting_gang& gang) {
  assignment out{gang.job, {}};
  auto wants = demands_of(gang);
  std::stable_sort(wants.begin(), wants.end(), [](const demand& a, const demand& b) {
    auto& x = a.type->each;
    auto& y = b.type->each;
    return std::tie(x.accelerators, x.cpus, x.memory) > std::tie(y.accelerators, y.cpus, y.memory);
  });
  for (auto& want : wants) {
    auto fits = [&](const node_room& x) { return x.holds(want.type->each, want.type->labels); };
    auto node = std::find_if(nodes.begin(), nodes.end(), fits);
    if (node == nodes.end())
      return {};
    node->free -= want.type->each;
    out.tasks.push_back({want.type->type, want.index, std::string{node->name}});
  }
  return out;
}

// Takes what the gang needs from the nodes; nothing where it does not fit.
std::optional<assignment> fit_whole(std::vector<node_room>& nodes, const waiting_gang& gang) {
  for (auto* how : {spread, pack}) {
    auto attempt = nodes;
    auto found = how(attempt, gang);
    if (!found)
      continue;
    nodes = std::move(attempt);
    return found;
  }
  return {};
}

// The most that a type can do without.
uint32_t spare_of(const gang_type& x) {
  return x.instances_min == 0 ? 0 : x.instances - std::min(x.instances, x.instances_min);
}

waiting_gang smaller(waiting_gang gang, uint32_t by) {
  for (auto& type : gang.types)
    type.instances -= std::min(by, spare_of(type));
  return gang;
}

// The same with as many tasks as there is room for: a search for the least to do without.
std::optional<assignment> fit(std::vector<node_room>& nodes, const waiting_gang& gang) {
  if (auto found = fit_whole(nodes, gang))
    return found;
  uint32_t too_little = 0;
  uint32_t enough = 0;
  for (auto& type : gang.types)
    enough = std::max(enough, spare_of(type));
  auto fits = [&](uint32_t by) {
    auto trial = nodes;
    return fit_whole(trial, smaller(gang, by)).has_value();
  };
  if (enough == 0 || !fits(enough))
    return {};
  while (enough - too_little > 1) {
    auto middle = too_little + (enough - too_little) / 2;
    (fits(middle) ? enough : too_little) = middle;
  }
  return fit_whole(nodes, smaller(gang, enough));
}

} // namespace

bool has_all(const node_labels& has, const node_labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](auto& x) { return std::find(has.begin(), has.end(), x) != has.end(); });
}

std::string text_of(const node_labels& x) {
  std::string out;
  for (auto& each : x)
    out += (out.empty() ? "" : ", ") + each;
  return out;
}

std::string text_of(const resources& x) {
  auto out = std::to_string(x.cpus) + " cpus";
  if (x.memory != 0)
    out += ", " + std::to_string(x.memory >> 20) + " MiB";
  if (x.accelerators != 0)
    out += ", " + std::to_string(x.accelerators) + " accelerators";
  return out;
}

std::optional<assignment> fifo_placement::next(const waiting_gang& gang) {
  auto found = fit(nodes_, gang);
  if (!found) {
    auto empty = nodes_;
    for (auto& node : empty)
      node.free = node.capacity;
    blocked_ = fit(empty, gang).has_value();
  }
  return found;
}

} // namespace troupe
