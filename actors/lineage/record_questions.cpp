#include "actors/lineage/record_questions.hpp"

#include "actors/lineage/record_messages.hpp"
#include "storage/metadata/audit.hpp"
#include "storage/metadata/query.hpp"
#include "storage/metadata/reuse.hpp"

#include <algorithm>
#include <set>

namespace troupe {

namespace {

constexpr size_t graph_nodes_max = 100'000; // of which a frame takes thousands
constexpr size_t event_bytes = 96;
constexpr size_t findings_max = 500;

storage::list_request request_of(const list_records_msg& x, storage::node_kind kind) {
  storage::list_request out;
  out.kind = kind;
  out.filter = x.filter;
  out.order = static_cast<storage::list_order>(x.order);
  out.descending = x.descending;
  out.page_size = std::clamp<size_t>(x.limit, 1, storage::page_max);
  out.page_token = x.token;
  return out;
}

// The graph without what is behind the bound: the nodes that are farthest go first.
void append(record_graph_msg& to, const storage::lineage_graph& x,
            const storage::type_catalog& types) {
  std::set<std::pair<storage::node_kind, uint64_t>> there;
  size_t bytes = 0;
  to.truncated = x.truncated;
  auto has_room = [&](const record_node_msg& what) {
    bytes += bytes_of(what);
    to.truncated = to.truncated || bytes > answer_bytes_max;
    return bytes <= answer_bytes_max;
  };
  for (const auto& each : x.nodes) {
    auto what = message_of(each.what, types);
    if (!has_room(*what))
      break;
    there.emplace(each.what.kind, each.what.id);
    to.nodes.push_back(std::make_unique<graph_node_msg>());
    to.nodes.back()->hops = each.hops;
    to.nodes.back()->what = std::move(what);
  }
  for (const auto& each : x.contexts) {
    auto what = message_of(each, types);
    if (!has_room(*what))
      break;
    there.emplace(each.kind, each.id);
    to.contexts.push_back(std::move(what));
  }
  auto knows = [&](storage::node_kind kind, uint64_t id) { return there.contains({kind, id}); };
  for (const auto& each : x.events) {
    if (bytes += event_bytes; bytes > 2 * answer_bytes_max - event_bytes)
      return static_cast<void>(to.truncated = true);
    if (knows(storage::node_kind::execution, each.execution)
        && knows(storage::node_kind::artifact, each.artifact))
      to.events.push_back(message_of(each));
  }
  for (const auto& each : x.links) {
    if (bytes += event_bytes; bytes > 2 * answer_bytes_max - event_bytes)
      return static_cast<void>(to.truncated = true);
    if (knows(storage::node_kind::context, each.context)
        && knows(storage::other_end(each.kind), each.other))
      to.links.push_back(message_of(each));
  }
}

result<uint64_t> sequence_of(const storage::metadata_view& in) {
  auto counters = in.counters();
  if (!counters)
    return counters.error();
  return std::min(counters->sequence, in.as_of());
}

} // namespace

result<record_page_msg> answer_to(const list_records_msg& x, const storage::metadata_view& in) {
  auto kind = node_kind_of(x.kind);
  if (!kind)
    return kind.error();
  if (x.order > record_order::updated)
    return {errc::invalid, "there is no such order of nodes; choose id, created or updated"};
  auto sequence = sequence_of(in);
  if (!sequence)
    return sequence.error();
  auto request = request_of(x, *kind);
  record_page_msg out;
  out.sequence = *sequence;
  for (;;) {
    auto page = list_nodes(in, request);
    if (!page)
      return page.error();
    size_t bytes = 0;
    out.nodes.clear();
    for (const auto& each : page->nodes) {
      auto what = message_of(each, in.types());
      bytes += bytes_of(*what);
      if (bytes > answer_bytes_max && !out.nodes.empty())
        break;
      out.nodes.push_back(std::move(what));
    }
    out.next = page->next;
    if (out.nodes.size() == page->nodes.size())
      return out;
    request.page_size = out.nodes.size(); // the token of a page of what fits
  }
}

result<record_types_msg> answer_to(const list_types_msg& x, const storage::metadata_view& in) {
  auto kind = node_kind_of(x.kind);
  if (!kind)
    return kind.error();
  record_types_msg out;
  for (const auto* each : in.types().all(*kind))
    if (x.name.empty() || each->name == x.name)
      out.types.push_back(message_of(*each));
  return out;
}

result<record_graph_msg> answer_to(const get_graph_msg& x, const storage::metadata_view& in) {
  auto kind = node_kind_of(x.kind);
  if (!kind)
    return kind.error();
  auto sequence = sequence_of(in);
  if (!sequence)
    return sequence.error();
  storage::lineage_request request;
  for (auto id : x.ids)
    request.from.emplace_back(*kind, id);
  request.artifacts = x.artifacts;
  request.executions = x.executions;
  request.direction = x.way == lineage_way::upstream     ? storage::lineage_direction::upstream
                      : x.way == lineage_way::downstream ? storage::lineage_direction::downstream
                                                         : storage::lineage_direction::both;
  request.hops_max = x.hops_max;
  request.nodes_max = std::min<size_t>(x.nodes_max, graph_nodes_max);
  request.ending_artifacts = x.ending_artifacts;
  request.ending_executions = x.ending_executions;
  request.with_ends = !x.without_ends;
  request.with_contexts = x.contexts;
  auto graph = storage::lineage(in, request);
  if (!graph)
    return graph.error();
  record_graph_msg out;
  out.sequence = *sequence;
  append(out, *graph, in.types());
  return out;
}

result<reusable_msg> answer_to(const find_reusable_msg& x, const storage::metadata_view& in) {
  auto found = storage::find_reusable(in, x.fingerprint);
  if (!found)
    return found.error();
  reusable_msg out;
  if (!*found)
    return out;
  out.execution = (*found)->execution;
  for (const auto& each : (*found)->outputs)
    out.outputs.push_back(message_of(each));
  return out;
}

result<records_checked_msg> checked(const storage::store& all) {
  records_checked_msg out;
  auto audit = storage::audit_metadata(all, [&](const std::string& what) {
    if (out.findings.size() < findings_max)
      out.findings.push_back(what);
  });
  if (!audit)
    return audit.error();
  out.types = audit->types;
  out.nodes = audit->nodes;
  out.versions = audit->versions;
  out.events = audit->events;
  out.links = audit->links;
  out.changes = audit->changes;
  out.indexes = audit->indexes;
  out.findings_all = audit->findings;
  return out;
}

} // namespace troupe
