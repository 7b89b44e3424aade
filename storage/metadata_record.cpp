#include "storage/metadata_record.hpp"

#include "storage/hash.hpp"
#include "storage/record.hpp"

#include <xxhash.h>

#include <algorithm>

namespace troupe::storage {

namespace {

std::string id_of(std::string_view kind, std::string_view key) {
  return sha256(std::string(kind).append(1, '\0').append(key)).substr(0, id_size);
}

bool is_hex(std::string_view x, size_t size) {
  return x.size() == size && x.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool has_control(std::string_view x) {
  return std::any_of(x.begin(), x.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

error bad(std::string_view what, const std::string& why) {
  return {errc::invalid, "the " + std::string(what) + " " + why};
}

result<void> check_id(std::string_view what, std::string_view id) {
  if (!is_hex(id, id_size))
    return bad(what, "is not 32 lowercase hexadecimal digits; make it with artifact_id or "
                     "execution_id");
  return {};
}

result<void> check_text(std::string_view what, std::string_view text, size_t max) {
  if (text.size() > max)
    return bad(what, "has " + std::to_string(text.size()) + " bytes; at most " + std::to_string(max)
                       + " are allowed");
  if (has_control(text))
    return bad(what, "has a control character; remove it");
  return {};
}

result<void> check_name(std::string_view what, std::string_view text) {
  if (text.empty())
    return bad(what, "is empty; give it one");
  return check_text(what, text, metadata_limits::name_max);
}

result<void> check_properties(const properties& all) {
  if (all.size() > metadata_limits::properties_max)
    return bad("record", "has more than " + std::to_string(metadata_limits::properties_max)
                           + " properties; use fewer");
  for (const auto& [name, value] : all) {
    TROUPE_TRY(check_name("name of a property", name));
    if (value.size() > metadata_limits::value_max)
      return bad("value of the property " + name,
                 "is above 64 KiB; store it as an artifact of its own");
  }
  return {};
}

result<void> check(const artifact& x) {
  using namespace metadata_limits;
  TROUPE_TRY(check_id("id of an artifact", x.id));
  TROUPE_TRY(check_name("type of an artifact", x.type));
  TROUPE_TRY(check_text("name of an artifact", x.name, name_max));
  TROUPE_TRY(check_text("uri of an artifact", x.uri, uri_max));
  if (!x.hash.empty() && !is_hex(x.hash, 64))
    return bad("hash of the artifact " + x.id, "is not a SHA-256; use 64 lowercase digits");
  return check_properties(x.properties);
}

result<void> check(const execution& x) {
  TROUPE_TRY(check_id("id of an execution", x.id));
  TROUPE_TRY(check_name("type of an execution", x.type));
  TROUPE_TRY(check_text("name of an execution", x.name, metadata_limits::name_max));
  TROUPE_TRY(check_text("state of an execution", x.state, metadata_limits::name_max));
  return check_properties(x.properties);
}

result<void> check(const lineage_event& x) {
  TROUPE_TRY(check_id("execution of an event", x.execution));
  TROUPE_TRY(check_id("artifact of an event", x.artifact));
  return check_text("path of an event", x.path, metadata_limits::path_max);
}

char letter(event_role role) {
  return role == event_role::input ? 'i' : 'o';
}

error misshapen(std::string_view what) {
  return {errc::corrupt,
          "a stored " + std::string(what) + " is misshapen; restore the store from a copy"};
}

} // namespace

std::string artifact_id(std::string_view key) {
  return id_of("artifact", key);
}

std::string artifact_id(std::string_view uri, std::string_view hash) {
  return artifact_id(std::string(uri).append(1, '\0').append(hash));
}

std::string execution_id(std::string_view key) {
  return id_of("execution", key);
}

result<void> check(const metadata_changes& changes) {
  auto count = changes.artifacts.size() + changes.executions.size() + changes.events.size();
  if (count > metadata_limits::changes_max)
    return {errc::invalid, "one set of changes has " + std::to_string(count)
                             + " records, above the limit of 100000; split it"};
  for (const auto& x : changes.artifacts)
    TROUPE_TRY(check(x));
  for (const auto& x : changes.executions)
    TROUPE_TRY(check(x));
  for (const auto& x : changes.events)
    TROUPE_TRY(check(x));
  return {};
}

std::string artifact_key(std::string_view id) {
  return std::string("a").append(id);
}

std::string execution_key(std::string_view id) {
  return std::string("x").append(id);
}

std::string edge_key(const lineage_event& x) {
  return edges_of_execution(x.execution, x.role) + x.artifact + x.path;
}

std::string back_edge_key(const lineage_event& x) {
  return edges_of_artifact(x.artifact, x.role) + x.execution + x.path;
}

std::string edges_of_execution(std::string_view id, event_role role) {
  return std::string("d").append(id).append(1, letter(role));
}

std::string edges_of_artifact(std::string_view id, event_role role) {
  return std::string("u").append(id).append(1, letter(role));
}

std::string type_prefix(std::string_view type) {
  return std::string("y").append(type).append(1, '\0');
}

std::string property_prefix(std::string_view name, std::string_view value) {
  auto both = std::string(name).append(1, '\0').append(value);
  return std::string("q").append(hex(big_endian(XXH3_64bits(both.data(), both.size()))));
}

std::vector<std::string> index_keys(const artifact& x) {
  std::vector<std::string> out{type_prefix(x.type) + x.id};
  for (const auto& [name, value] : x.properties)
    out.push_back(property_prefix(name, value) + x.id);
  return out;
}

std::string encode(const artifact& x) {
  field_writer out;
  for (const auto* text : {&x.id, &x.type, &x.name, &x.uri, &x.hash})
    out.text(*text);
  out.number(x.created_ns);
  out.map(x.properties);
  return seal(artifact_key(x.id), out.take());
}

std::string encode(const execution& x) {
  field_writer out;
  for (const auto* text : {&x.id, &x.type, &x.name, &x.state})
    out.text(*text);
  out.map(x.properties);
  return seal(execution_key(x.id), out.take());
}

result<artifact> read_artifact(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader fields(*payload);
  artifact x;
  for (auto* text : {&x.id, &x.type, &x.name, &x.uri, &x.hash})
    *text = fields.text();
  x.created_ns = fields.number();
  x.properties = fields.map();
  if (!fields.whole())
    return misshapen("artifact");
  return x;
}

result<execution> read_execution(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader fields(*payload);
  execution x;
  for (auto* text : {&x.id, &x.type, &x.name, &x.state})
    *text = fields.text();
  x.properties = fields.map();
  if (!fields.whole())
    return misshapen("execution");
  return x;
}

namespace {

struct edge_parts {
  std::string first;
  std::string second;
  event_role role = event_role::input;
  std::string path;
};

result<edge_parts> read_edge_key(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  if (key.size() < 2 + 2 * id_size)
    return misshapen("edge");
  edge_parts out;
  out.first = key.substr(1, id_size);
  out.role = key[1 + id_size] == 'i' ? event_role::input : event_role::output;
  out.second = key.substr(2 + id_size, id_size);
  out.path = key.substr(2 + 2 * id_size);
  return out;
}

} // namespace

result<lineage_event> read_edge(std::string_view key, std::string_view value) {
  auto parts = read_edge_key(key, value);
  if (!parts)
    return parts.error();
  return lineage_event{parts->first, parts->second, parts->role, parts->path};
}

result<lineage_event> read_back_edge(std::string_view key, std::string_view value) {
  auto parts = read_edge_key(key, value);
  if (!parts)
    return parts.error();
  return lineage_event{parts->second, parts->first, parts->role, parts->path};
}

} // namespace troupe::storage
