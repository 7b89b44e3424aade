#include "actors/lineage/graph_text.hpp"

#include <nlohmann/json.hpp>

#include <map>

namespace troupe {

namespace {

using nlohmann::json;
using storage::node;
using storage::node_kind;
using storage::node_state;

std::string base64(std::string_view bytes) {
  constexpr std::string_view letters
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    auto some = bytes.substr(i, 3);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < some.size() ? static_cast<unsigned char>(some[k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      out += k <= some.size() ? letters[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

json value_of(const storage::property_value& x) {
  if (const auto* text = std::get_if<std::string>(&x))
    return *text;
  if (const auto* number = std::get_if<int64_t>(&x))
    return *number;
  if (const auto* real = std::get_if<double>(&x))
    return *real;
  if (const auto* yes = std::get_if<bool>(&x))
    return *yes;
  if (const auto* structure = std::get_if<storage::json_text>(&x)) {
    auto parsed = json::parse(structure->text, nullptr, false);
    return parsed.is_discarded() ? json(structure->text) : parsed;
  }
  const auto& any = std::get<storage::any_bytes>(x);
  return {{"type", any.url}, {"base64", base64(any.bytes)}};
}

json map_of(const storage::property_map& all) {
  auto out = json::object();
  for (const auto& [name, value] : all)
    out[name] = value_of(value);
  return out;
}

json path_of(const storage::event& x) {
  auto out = json::array();
  for (const auto& step : x.path)
    if (const auto* key = std::get_if<std::string>(&step))
      out.push_back(*key);
    else
      out.push_back(std::get<int64_t>(step));
  return out;
}

const char* colour_of(const node& x) {
  switch (x.state) {
  case node_state::failed:
  case node_state::canceled:
    return "#f8dcdc";
  case node_state::deleted:
  case node_state::marked_for_deletion:
  case node_state::abandoned:
    return "#e6e6e6";
  default:
    return x.kind == node_kind::execution ? "#e0ecf8" : "#eef6e8";
  }
}

picture_node drawn(const node& x, const storage::type_catalog& types) {
  picture_node out;
  out.round = x.kind == node_kind::execution;
  out.colour = colour_of(x);
  out.lines.push_back(types.name_of(x.type) + " " + std::to_string(x.id));
  if (auto title = title_of(x); !title.empty())
    out.lines.push_back(std::move(title));
  if (!x.hash.empty())
    out.lines.push_back("sha256 " + x.hash.substr(0, 12));
  if (x.state != node_state::none && x.state != node_state::live)
    out.lines.emplace_back(storage::name_of(x.state));
  return out;
}

} // namespace

std::string title_of(const node& x) {
  if (!x.name.empty())
    return x.name;
  auto named = text_property(x, "name");
  return named.empty() ? x.uri.substr(x.uri.rfind('/') + 1) : named;
}

json as_json(const node& x, const storage::type_catalog& types) {
  json out{{"kind", storage::name_of(x.kind)},
           {"id", x.id},
           {"type", types.name_of(x.type)},
           {"version", x.version},
           {"sequence", x.sequence},
           {"created_ns", x.created_ns},
           {"updated_ns", x.updated_ns},
           {"properties", map_of(x.properties)},
           {"custom_properties", map_of(x.custom)}};
  for (const auto& [name, text] :
       {std::pair("name", &x.name), std::pair("external_id", &x.external_id),
        std::pair("uri", &x.uri), std::pair("sha256", &x.hash),
        std::pair("fingerprint", &x.fingerprint)})
    if (!text->empty())
      out[name] = *text;
  if (x.state != node_state::none)
    out["state"] = storage::name_of(x.state);
  return out;
}

json as_json(const storage::lineage_graph& x, const storage::type_catalog& types) {
  json out{{"nodes", json::array()},
           {"events", json::array()},
           {"contexts", json::array()},
           {"links", json::array()},
           {"truncated", x.truncated}};
  for (const auto& each : x.nodes) {
    auto node = as_json(each.what, types);
    node["hops"] = each.hops;
    out["nodes"].push_back(std::move(node));
  }
  for (const auto& each : x.events)
    out["events"].push_back({{"execution", each.execution},
                             {"artifact", each.artifact},
                             {"type", storage::name_of(each.type)},
                             {"path", path_of(each)},
                             {"time_ns", each.time_ns}});
  for (const auto& each : x.contexts)
    out["contexts"].push_back(as_json(each, types));
  for (const auto& each : x.links)
    out["links"].push_back(
      {{"context", each.context}, {storage::name_of(storage::other_end(each.kind)), each.other}});
  return out;
}

picture picture_of(const storage::lineage_graph& x, const storage::type_catalog& types) {
  picture out;
  std::map<std::pair<node_kind, uint64_t>, size_t> place;
  for (const auto& each : x.nodes) {
    place.emplace(std::pair(each.what.kind, each.what.id), out.nodes.size());
    out.nodes.push_back(drawn(each.what, types));
  }
  std::map<std::pair<size_t, size_t>, bool> seen; // two events of the same ends are one arrow
  for (const auto& each : x.events) {
    auto execution = place.find({node_kind::execution, each.execution});
    auto artifact = place.find({node_kind::artifact, each.artifact});
    if (execution == place.end() || artifact == place.end())
      continue;
    auto from = storage::is_input(each.type) ? artifact->second : execution->second;
    auto to = storage::is_input(each.type) ? execution->second : artifact->second;
    if (!seen.emplace(std::pair(from, to), true).second)
      continue;
    std::string text;
    for (const auto& step : each.path)
      if (const auto* key = std::get_if<std::string>(&step))
        text.append(text.empty() ? "" : "/").append(*key);
    out.edges.push_back({from, to, std::move(text)});
  }
  return out;
}

} // namespace troupe
