#include "actors/lineage/graph_tree.hpp"

#include "actors/lineage/graph_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace troupe {

namespace {

using storage::lineage_graph;
using storage::node;
using storage::node_kind;
using storage::type_catalog;

using place = std::pair<node_kind, uint64_t>;

place place_of(const node& x) {
  return {x.kind, x.id};
}

class tree {
public:
  tree(const lineage_graph& x, const type_catalog& types) : graph_(x), types_(types) {
    for (const auto& each : x.nodes)
      nodes_.emplace(place_of(each.what), &each);
    for (const auto& each : x.events) {
      place execution{node_kind::execution, each.execution};
      place artifact{node_kind::artifact, each.artifact};
      auto input = storage::is_input(each.type);
      ways_[execution].emplace_back(artifact, input ? "from " : "made ");
      ways_[artifact].emplace_back(execution, input ? "read by " : "made by ");
    }
  }

  // Without recursion: a lineage may be thousands of steps long.
  std::string text() {
    struct step {
      const storage::lineage_node* at;
      const char* how;
      size_t depth;
    };
    std::string out;
    std::vector<step> open;
    for (auto each = graph_.nodes.rbegin(); each != graph_.nodes.rend(); ++each)
      if (each->hops == 0)
        open.push_back({&*each, "", 0});
    std::set<place> seen;
    while (!open.empty()) {
      auto [at, how, depth] = open.back();
      open.pop_back();
      if (!seen.insert(place_of(at->what)).second)
        continue;
      out.append(2 * depth, ' ').append(how).append(line_of(at->what, types_)).push_back('\n');
      auto& ways = ways_[place_of(at->what)];
      for (auto way = ways.rbegin(); way != ways.rend(); ++way)
        if (auto next = nodes_.find(way->first);
            next != nodes_.end() && next->second->hops == at->hops + 1)
          open.push_back({next->second, way->second, depth + 1});
    }
    if (graph_.truncated)
      out += "and more: see it with a higher --limit\n";
    return out;
  }

private:
  const lineage_graph& graph_;
  const type_catalog& types_;
  std::map<place, const storage::lineage_node*> nodes_;
  std::map<place, std::vector<std::pair<place, const char*>>> ways_;
};

// Its title, with the whole of a uri.
std::string whole_title_of(const node& x) {
  return x.name.empty() && !x.uri.empty() ? x.uri : title_of(x);
}

// Properties that only say which run it was: of the attempts and tasks of jobs.
bool tells_the_run(std::string_view property) {
  constexpr std::string_view all[] = {"job", "attempt", "node", "name"};
  return std::find(std::begin(all), std::end(all), property) != std::end(all);
}

// What makes it what it is: not its number, nor when and where it was.
std::string likeness(const node& x, const type_catalog& types) {
  std::string out{storage::name_of(x.kind)};
  out.append(" ").append(types.name_of(x.type));
  // The same bytes are the same, wherever they lie.
  if (auto title = x.hash.empty() ? whole_title_of(x) : title_of(x); !title.empty())
    out.append(" ").append(title);
  if (!x.hash.empty())
    out.append(" sha256 ").append(x.hash);
  if (x.kind != node_kind::execution)
    return out;
  auto as = as_json(x, types);
  for (const auto* each : {"properties", "custom_properties"}) {
    auto properties = nlohmann::json::object();
    for (const auto& [name, value] : as[each].items())
      if (!tells_the_run(name))
        properties[name] = value;
    if (!properties.empty())
      out.append(" ").append(
        properties.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  return out;
}

std::multiset<std::string> likenesses(const lineage_graph& x, const type_catalog& types) {
  std::multiset<std::string> out;
  for (const auto& each : x.nodes)
    out.insert(likeness(each.what, types));
  return out;
}

} // namespace

std::string line_of(const node& x, const type_catalog& types) {
  std::string out{storage::name_of(x.kind)};
  out.append(" ").append(std::to_string(x.id)).append(" ").append(types.name_of(x.type));
  if (auto title = whole_title_of(x); !title.empty())
    out.append(" ").append(title);
  if (!x.hash.empty())
    out.append(" sha256 ").append(x.hash, 0, 12);
  if (x.state != storage::node_state::none && x.state != storage::node_state::live)
    out.append(" ").append(storage::name_of(x.state));
  return out;
}

std::string as_tree(const lineage_graph& x, const type_catalog& types) {
  return tree(x, types).text();
}

lineage_difference difference(const lineage_graph& first, const type_catalog& types_of_first,
                              const lineage_graph& second, const type_catalog& types_of_second) {
  auto left = likenesses(first, types_of_first);
  auto right = likenesses(second, types_of_second);
  lineage_difference out;
  std::set_difference(left.begin(), left.end(), right.begin(), right.end(),
                      std::back_inserter(out.only_first));
  std::set_difference(right.begin(), right.end(), left.begin(), left.end(),
                      std::back_inserter(out.only_second));
  return out;
}

} // namespace troupe
