#include "storage/metadata/lineage.hpp"

#include "storage/metadata/filter_match.hpp"
#include "storage/metadata/query.hpp"

#include <set>
#include <tuple>
#include <utility>

namespace troupe::storage {

namespace {

bool follows(lineage_direction wanted, node_kind at, event_type type) {
  if (wanted == lineage_direction::both)
    return true;
  // Downstream an artifact leads to its readers, an execution to what it wrote.
  auto downstream = is_input(type) == (at == node_kind::artifact);
  return downstream == (wanted == lineage_direction::downstream);
}

class walk {
public:
  walk(const metadata_view& in, const lineage_request& wanted) : view_(in), wanted_(wanted) {}

  result<lineage_graph> run() {
    TROUPE_TRY(parse_ends());
    TROUPE_TRY(start());
    for (uint32_t hops = 1; hops <= wanted_.hops_max && !next_.empty(); ++hops)
      TROUPE_TRY(step(hops));
    if (wanted_.with_contexts)
      TROUPE_TRY(add_contexts());
    return std::move(graph_);
  }

private:
  struct open_node {
    node_kind kind;
    std::vector<event> events;
  };

  result<void> parse_ends() {
    for (auto [kind, text] : {std::pair(node_kind::artifact, &wanted_.ending_artifacts),
                              std::pair(node_kind::execution, &wanted_.ending_executions)}) {
      if (text->empty())
        continue;
      auto tree = parse_filter(kind, *text);
      if (!tree)
        return tree.error();
      ends_.emplace(kind, std::move(*tree));
    }
    return {};
  }

  result<void> start() {
    auto starts = wanted_.from;
    for (auto [kind, text] : {std::pair(node_kind::artifact, &wanted_.artifacts),
                              std::pair(node_kind::execution, &wanted_.executions)}) {
      if (text->empty())
        continue;
      auto found = matching(view_, kind, *text, lineage_starts_max);
      if (!found)
        return found.error();
      if (found->empty())
        return {errc::not_found, "no " + std::string(name_of(kind)) + " matches " + *text
                                   + "; give a filter that one does"};
      for (auto id : *found)
        starts.emplace_back(kind, id);
    }
    if (starts.empty())
      return {errc::invalid, "no artifact and no execution to begin with; give an id or a filter"};
    for (auto [kind, id] : starts) {
      if (kind == node_kind::context)
        return {errc::invalid, "a context has no lineage; give an artifact or an execution"};
      auto reached = reach(kind, id, 0);
      if (!reached)
        return reached.error();
      if (*reached == arrival::missing)
        return {errc::not_found, "there is no " + std::string(name_of(kind)) + " "
                                   + std::to_string(id) + "; list those that there are"};
    }
    return {};
  }

  enum class arrival : uint8_t { inside, outside, missing };

  // Adds the node where it is new and within the bounds; says whether it is in the answer.
  result<arrival> reach(node_kind kind, uint64_t id, uint32_t hops) {
    auto [known, fresh] = known_.try_emplace({kind, id}, arrival::outside);
    if (!fresh)
      return known->second;
    if (graph_.nodes.size() >= wanted_.nodes_max) {
      graph_.truncated = true;
      known_.erase(known);
      return arrival::outside;
    }
    auto found = view_.around(kind, id);
    if (!found)
      return found.error();
    if (!found->at)
      return known->second = arrival::missing;
    auto end = is_end(*found->at);
    if (!end)
      return end.error();
    if (!*end)
      next_.push_back({kind, std::move(found->events)});
    else if (!wanted_.with_ends)
      return arrival::outside;
    known->second = arrival::inside;
    graph_.nodes.push_back({hops, std::move(*found->at)});
    return arrival::inside;
  }

  result<bool> is_end(const node& x) const {
    auto found = ends_.find(x.kind);
    if (found == ends_.end())
      return false;
    return filter_matcher(found->second, view_).matches(x);
  }

  result<void> step(uint32_t hops) {
    auto frontier = std::exchange(next_, {});
    for (auto& at : frontier) {
      for (auto& each : at.events) {
        if (!follows(wanted_.direction, at.kind, each.type))
          continue;
        auto to_execution = at.kind == node_kind::artifact;
        auto reached = reach(to_execution ? node_kind::execution : node_kind::artifact,
                             to_execution ? each.execution : each.artifact, hops);
        if (!reached)
          return reached.error();
        if (*reached == arrival::inside
            && along_.emplace(each.execution, each.artifact, each.type).second)
          graph_.events.push_back(std::move(each));
      }
    }
    return {};
  }

  result<void> add_contexts() {
    std::set<uint64_t> seen;
    for (const auto& x : graph_.nodes) {
      auto kind
        = x.what.kind == node_kind::artifact ? link_kind::attribution : link_kind::association;
      auto links = view_.links(kind, false, x.what.id);
      if (!links)
        return links.error();
      for (const auto& each : *links) {
        graph_.links.push_back(each);
        if (!seen.insert(each.context).second)
          continue;
        auto context = view_.get(node_kind::context, each.context);
        if (!context)
          return context.error();
        graph_.contexts.push_back(std::move(*context));
      }
    }
    return {};
  }

  const metadata_view& view_;
  const lineage_request& wanted_;
  std::map<node_kind, filter> ends_;
  lineage_graph graph_;
  std::map<std::pair<node_kind, uint64_t>, arrival> known_;
  std::set<std::tuple<uint64_t, uint64_t, event_type>> along_;
  std::vector<open_node> next_; // that the next step begins at
};

} // namespace

result<lineage_graph> lineage(const metadata_view& in, const lineage_request& wanted) {
  return walk(in, wanted).run();
}

} // namespace troupe::storage
