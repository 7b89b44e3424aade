#include "actors/lineage/artifact_client.hpp"

#include "actors/lineage/interfaces.hpp"

namespace troupe {

namespace {

constexpr auto actor_name = "artifact_store";

uint64_t wire_sequence(uint64_t as_of) {
  return as_of == storage::latest ? 0 : as_of;
}

} // namespace

template <class Answer, class Request>
result<Answer> artifact_client::ask(const Request& request) {
  return link_.ask<artifact_store_api, Answer>(actor_name, request);
}

result<storage::receipt> artifact_client::write(const storage::change_set& set) {
  auto written
    = link_.ask_once<artifact_store_api, records_written_msg>(actor_name, message_of(set));
  if (!written)
    return written.error();
  return receipt_of(*written);
}

result<received_nodes> artifact_client::list(const storage::list_request& wanted, uint64_t as_of) {
  list_records_msg request;
  request.kind = message_of(wanted.kind);
  request.filter = wanted.filter;
  request.order = static_cast<record_order>(wanted.order);
  request.descending = wanted.descending;
  request.limit = static_cast<uint32_t>(wanted.page_size);
  request.token = wanted.page_token;
  request.as_of = wire_sequence(as_of);
  auto page = ask<record_page_msg>(request);
  if (!page)
    return page.error();
  received_nodes out;
  out.next = page->next;
  for (const auto& each : page->nodes) {
    load_type(out.types, *each);
    auto what = node_of(*each);
    if (!what)
      return what.error();
    out.nodes.push_back(std::move(*what));
  }
  return out;
}

result<received_graph> artifact_client::graph(const storage::lineage_request& wanted,
                                              uint64_t as_of) {
  get_graph_msg request;
  for (const auto& [kind, id] : wanted.from) {
    if (kind != wanted.from.front().first)
      return {errc::invalid, "the starts of a lineage are of two kinds; ask for each by itself"};
    request.kind = message_of(kind);
    request.ids.push_back(id);
  }
  request.artifacts = wanted.artifacts;
  request.executions = wanted.executions;
  request.way = wanted.direction == storage::lineage_direction::upstream ? lineage_way::upstream
                : wanted.direction == storage::lineage_direction::downstream
                  ? lineage_way::downstream
                  : lineage_way::both;
  request.hops_max = wanted.hops_max;
  request.nodes_max = static_cast<uint32_t>(wanted.nodes_max);
  request.ending_artifacts = wanted.ending_artifacts;
  request.ending_executions = wanted.ending_executions;
  request.without_ends = !wanted.with_ends;
  request.contexts = wanted.with_contexts;
  request.as_of = wire_sequence(as_of);
  auto graph = ask<record_graph_msg>(request);
  if (!graph)
    return graph.error();
  return graph_of(*graph);
}

result<std::vector<storage::node_type>> artifact_client::types(storage::node_kind kind,
                                                               const std::string& name) {
  list_types_msg request;
  request.kind = message_of(kind);
  request.name = name;
  auto answer = ask<record_types_msg>(request);
  if (!answer)
    return answer.error();
  std::vector<storage::node_type> out;
  for (const auto& each : answer->types) {
    auto type = type_of(*each);
    if (!type)
      return type.error();
    out.push_back(std::move(*type));
  }
  return out;
}

result<std::optional<storage::reusable>>
artifact_client::find_reusable(const std::string& fingerprint) {
  find_reusable_msg request;
  request.fingerprint = fingerprint;
  auto answer = ask<reusable_msg>(request);
  if (!answer)
    return answer.error();
  if (answer->execution == 0)
    return std::optional<storage::reusable>();
  storage::reusable out;
  out.execution = answer->execution;
  for (const auto& each : answer->outputs) {
    auto event = event_of(*each);
    if (!event)
      return event.error();
    out.outputs.push_back(std::move(*event));
  }
  return std::optional(std::move(out));
}

result<received_changes> artifact_client::next(const std::string& subscription,
                                               storage::change_place done, uint32_t limit,
                                               bool wait) {
  next_changes_msg request;
  request.subscription = subscription;
  request.sequence = done.sequence;
  request.index = done.index;
  request.limit = limit;
  request.wait = wait;
  auto answer = ask<record_changes_msg>(request);
  if (!answer)
    return answer.error();
  received_changes out;
  out.next = {answer->sequence, answer->index};
  for (const auto& each : answer->changes) {
    load_type(out.types, *each->now);
    auto now = node_of(*each->now);
    if (!now)
      return now.error();
    out.changes.push_back({{each->sequence, each->index},
                           static_cast<storage::change_kind>(each->what),
                           std::move(*now)});
  }
  return out;
}

result<records_checked_msg> artifact_client::check() {
  return ask<records_checked_msg>(check_records_msg{});
}

result<void> artifact_client::backup(const std::string& directory) {
  backup_store_msg request;
  request.directory = directory;
  auto done = ask<done_msg>(request);
  if (!done)
    return done.error();
  return {};
}

} // namespace troupe
