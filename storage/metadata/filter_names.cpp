#include "storage/metadata/filter_names.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

struct attribute {
  std::string_view name;
  filter_field field;
  filter_sort sort;
};

constexpr attribute of_every_node[] = {
  {"id", filter_field::id, filter_sort::number},
  {"type_id", filter_field::type_id, filter_sort::number},
  {"type", filter_field::type, filter_sort::text},
  {"name", filter_field::name, filter_sort::text},
  {"external_id", filter_field::external_id, filter_sort::text},
  {"version", filter_field::version, filter_sort::number},
  {"create_time_since_epoch", filter_field::created_ms, filter_sort::number},
  {"last_update_time_since_epoch", filter_field::updated_ms, filter_sort::number},
};

constexpr attribute of_artifacts[] = {
  {"uri", filter_field::uri, filter_sort::text},
  {"hash", filter_field::hash, filter_sort::text},
  {"state", filter_field::state, filter_sort::artifact_state},
};

constexpr attribute of_executions[] = {
  {"fingerprint", filter_field::fingerprint, filter_sort::text},
  {"last_known_state", filter_field::state, filter_sort::execution_state},
  {"state", filter_field::state, filter_sort::execution_state},
};

constexpr attribute of_events[] = {
  {"type", filter_field::event_kind, filter_sort::event_kind},
  {"milliseconds_since_epoch", filter_field::event_ms, filter_sort::number},
};

constexpr attribute artifact_of_event
  = {"artifact_id", filter_field::event_artifact, filter_sort::number};
constexpr attribute execution_of_event
  = {"execution_id", filter_field::event_execution, filter_sort::number};

struct neighbour {
  std::string_view prefix;
  neighbour_kind kind;
  node_kind what;   // of an event: not used
  bool of_contexts; // else of artifacts and executions
};

constexpr neighbour neighbours[] = {
  {"contexts_", neighbour_kind::contexts, node_kind::context, false},
  {"events_", neighbour_kind::events, node_kind::context, false},
  {"artifacts_", neighbour_kind::artifacts, node_kind::artifact, true},
  {"executions_", neighbour_kind::executions, node_kind::execution, true},
  {"parent_contexts_", neighbour_kind::parent_contexts, node_kind::context, true},
  {"child_contexts_", neighbour_kind::child_contexts, node_kind::context, true},
};

std::vector<attribute> attributes_of(node_kind kind) {
  std::vector<attribute> all(std::begin(of_every_node), std::end(of_every_node));
  if (kind == node_kind::artifact)
    all.insert(all.end(), std::begin(of_artifacts), std::end(of_artifacts));
  if (kind == node_kind::execution)
    all.insert(all.end(), std::begin(of_executions), std::end(of_executions));
  return all;
}

std::vector<attribute> attributes_of_events(node_kind seen_from) {
  std::vector<attribute> all(std::begin(of_events), std::end(of_events));
  all.push_back(seen_from == node_kind::artifact ? execution_of_event : artifact_of_event);
  return all;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& x : parts)
    out += (out.empty() ? "" : ".") + x;
  return printable(out);
}

error unknown(const std::vector<std::string>& parts, node_kind kind) {
  return {errc::invalid, "unrecognized name " + joined(parts) + " for " + std::string(name_of(kind))
                           + "s; see the list of names"};
}

result<filter_name> property(const std::vector<std::string>& parts, node_kind kind,
                             filter_alias where) {
  filter_name out;
  out.node.op = filter_op::name;
  out.node.where = std::move(where);
  auto custom = parts[0] == "custom_properties";
  out.node.field = custom ? filter_field::custom_property : filter_field::property;
  if (parts.size() < 2 || parts.size() > 3)
    return unknown(parts, kind);
  out.node.key = parts[1];
  if (parts.size() == 2)
    return out;
  const std::pair<std::string_view, std::pair<value_kind, filter_sort>> kinds[]
    = {{"int_value", {value_kind::integer, filter_sort::number}},
       {"double_value", {value_kind::real, filter_sort::number}},
       {"string_value", {value_kind::text, filter_sort::text}},
       {"bool_value", {value_kind::boolean, filter_sort::boolean}}};
  for (const auto& [name, what] : kinds)
    if (name == parts[2]) {
      out.node.as = what.first;
      out.sort = what.second;
      return out;
    }
  return unknown(parts, kind);
}

} // namespace

result<filter_name> resolve_name(node_kind kind, const std::vector<std::string>& parts) {
  auto attributes = attributes_of(kind);
  auto of = kind;
  filter_alias where;
  auto rest = parts;
  for (const auto& x : neighbours) {
    if (!parts[0].starts_with(x.prefix) || parts[0].size() == x.prefix.size() || parts.size() < 2)
      continue;
    if (x.of_contexts != (kind == node_kind::context))
      return unknown(parts, kind);
    where = {x.kind, parts[0].substr(x.prefix.size())};
    rest.erase(rest.begin());
    of = x.what;
    attributes
      = x.kind == neighbour_kind::events ? attributes_of_events(kind) : attributes_of(x.what);
    break;
  }
  if ((rest[0] == "properties" || rest[0] == "custom_properties")
      && where.kind != neighbour_kind::events)
    return property(rest, of, std::move(where));
  auto found = std::find_if(attributes.begin(), attributes.end(),
                            [&](const auto& x) { return x.name == rest[0]; });
  if (found == attributes.end() || rest.size() != 1)
    return unknown(parts, kind);
  filter_name out;
  out.node.op = filter_op::name;
  out.node.field = found->field;
  out.node.where = std::move(where);
  out.sort = found->sort;
  return out;
}

} // namespace troupe::storage
