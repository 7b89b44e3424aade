// The questions of metadata.hpp.
#include "storage/metadata.hpp"
#include "storage/record.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace troupe::storage {

namespace {

template <class T>
using reader = result<T> (*)(std::string_view key, std::string_view value);

template <class T>
result<T> get_record(const store& from, const std::string& key, reader<T> read,
                     std::string_view what) {
  auto value = from.get(key);
  if (!value)
    return value.error();
  if (!*value)
    return {errc::not_found, "there is no " + std::string(what) + " " + key.substr(1)
                               + "; list those that there are"};
  return read(key, **value);
}

template <class T>
result<std::vector<T>> scan_records(const store& from, const std::string& prefix,
                                    const std::string& first, size_t limit, reader<T> read) {
  std::vector<T> out;
  error failed;
  TROUPE_TRY(from.scan(prefix, first, limit, [&](auto key, auto value) {
    auto x = read(key, value);
    if (x)
      out.push_back(std::move(*x));
    else
      failed = x.error();
    return failed.code == errc::ok;
  }));
  if (failed.code != errc::ok)
    return failed;
  return out;
}

// The artifacts that an index names. The index may name one that does not match: two values may
// have one hash.
template <class Match>
result<std::vector<artifact>> indexed(const store& from, const std::string& prefix, size_t limit,
                                      Match matches) {
  std::vector<artifact> out;
  error failed;
  TROUPE_TRY(from.scan(prefix, "", no_limit, [&](auto key, auto) {
    if (out.size() >= limit)
      return false;
    auto id = key.substr(prefix.size());
    auto x = get_record<artifact>(from, artifact_key(id), read_artifact, "artifact");
    if (!x)
      failed = x.error();
    else if (matches(*x))
      out.push_back(std::move(*x));
    return failed.code == errc::ok;
  }));
  if (failed.code != errc::ok)
    return failed;
  return out;
}

// One walk over the graph, in the breadth.
class walk {
public:
  walk(const store& from, lineage_graph& to, size_t nodes_max)
    : store_(from), graph_(to), nodes_max_(nodes_max) {}

  // Adds the node, unless it is there; says whether it is an artifact.
  result<bool> add(const std::string& id, uint32_t depth) {
    if (auto found = known_.find(id); found != known_.end())
      return found->second;
    auto a = get_record<artifact>(store_, artifact_key(id), read_artifact, "artifact");
    if (a) {
      graph_.nodes.push_back({depth, std::move(*a)});
      return known_[id] = true;
    }
    if (a.error().code != errc::not_found)
      return a.error();
    auto e
      = get_record<execution>(store_, execution_key(id), read_execution, "artifact or execution");
    if (!e)
      return e.error();
    graph_.nodes.push_back({depth, std::move(*e)});
    return known_[id] = false;
  }

  result<void> go(const std::string& start, bool upstream, uint32_t depth_max) {
    std::set<std::string> seen{start};
    std::vector<std::string> frontier{start};
    for (uint32_t depth = 1; depth <= depth_max && !frontier.empty(); ++depth) {
      std::vector<std::string> further;
      for (const auto& id : frontier) {
        auto edges = edges_of(id, upstream);
        if (!edges)
          return edges.error();
        for (auto& x : *edges) {
          const auto other = known_[id] ? x.execution : x.artifact;
          if (!known_.contains(other) && graph_.nodes.size() >= nodes_max_) {
            graph_.truncated = true;
            continue;
          }
          if (auto added = add(other, depth); !added)
            return added.error();
          if (edges_.insert(x).second)
            graph_.edges.push_back(std::move(x));
          if (seen.insert(other).second)
            further.push_back(other);
        }
      }
      frontier = std::move(further);
    }
    return {};
  }

private:
  result<std::vector<lineage_event>> edges_of(const std::string& id, bool upstream) {
    if (known_[id]) {
      auto role = upstream ? event_role::output : event_role::input;
      return scan_records<lineage_event>(store_, edges_of_artifact(id, role), "", no_limit,
                                         read_back_edge);
    }
    auto role = upstream ? event_role::input : event_role::output;
    return scan_records<lineage_event>(store_, edges_of_execution(id, role), "", no_limit,
                                       read_edge);
  }

  const store& store_;
  lineage_graph& graph_;
  size_t nodes_max_;
  std::unordered_map<std::string, bool> known_; // whether it is an artifact
  std::set<lineage_event> edges_;
};

} // namespace

const std::string& lineage_node::id() const {
  return std::visit([](const auto& x) -> const std::string& { return x.id; }, what);
}

result<artifact> metadata::get_artifact(std::string_view id) const {
  return get_record<artifact>(store_, artifact_key(id), read_artifact, "artifact");
}

result<execution> metadata::get_execution(std::string_view id) const {
  return get_record<execution>(store_, execution_key(id), read_execution, "execution");
}

result<std::vector<artifact>> metadata::artifacts_of_type(std::string_view type,
                                                          size_t limit) const {
  return indexed(store_, type_prefix(type), limit,
                 [&](const artifact& x) { return x.type == type; });
}

result<std::vector<artifact>>
metadata::artifacts_where(std::string_view name, std::string_view value, size_t limit) const {
  return indexed(store_, property_prefix(name, value), limit, [&](const artifact& x) {
    auto found = x.properties.find(std::string(name));
    return found != x.properties.end() && found->second == value;
  });
}

result<std::vector<artifact>> metadata::artifacts(std::string_view from, size_t limit) const {
  return scan_records<artifact>(store_, artifact_key(""), artifact_key(from), limit, read_artifact);
}

result<std::vector<execution>> metadata::executions(std::string_view from, size_t limit) const {
  return scan_records<execution>(store_, execution_key(""), execution_key(from), limit,
                                 read_execution);
}

result<lineage_graph> metadata::lineage(std::string_view id, lineage_direction wanted,
                                        uint32_t depth_max, size_t nodes_max) const {
  lineage_graph graph;
  walk steps(store_, graph, nodes_max);
  std::string start(id);
  if (auto added = steps.add(start, 0); !added)
    return added.error();
  if (wanted != lineage_direction::downstream)
    TROUPE_TRY(steps.go(start, true, depth_max));
  if (wanted != lineage_direction::upstream)
    TROUPE_TRY(steps.go(start, false, depth_max));
  std::stable_sort(graph.nodes.begin(), graph.nodes.end(),
                   [](const auto& a, const auto& b) { return a.depth < b.depth; });
  return graph;
}

} // namespace troupe::storage
