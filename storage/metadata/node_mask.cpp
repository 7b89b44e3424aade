#include "storage/metadata/node_mask.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

bool names(const std::vector<std::string>& mask, std::string_view field) {
  return std::find(mask.begin(), mask.end(), field) != mask.end();
}

void mask_map(const std::vector<std::string>& mask, const std::string& field,
              const property_map& from, property_map& to) {
  if (names(mask, field)) {
    to = from;
    return;
  }
  for (const auto& path : mask) {
    if (!path.starts_with(field + "."))
      continue;
    auto name = path.substr(field.size() + 1);
    if (auto given = from.find(name); given != from.end())
      to.insert_or_assign(name, given->second);
    else
      to.erase(name);
  }
}

node masked(const node& stored, const node& given, const std::vector<std::string>& mask) {
  auto out = stored;
  if (names(mask, "name") && stored.kind == node_kind::context)
    out.name = given.name;
  if (names(mask, "external_id"))
    out.external_id = given.external_id;
  if (names(mask, "state") || names(mask, "last_known_state"))
    out.state = given.state;
  if (names(mask, "uri"))
    out.uri = given.uri;
  if (names(mask, "hash"))
    out.hash = given.hash;
  if (names(mask, "fingerprint"))
    out.fingerprint = given.fingerprint;
  mask_map(mask, "properties", given.properties, out.properties);
  mask_map(mask, "custom_properties", given.custom, out.custom);
  return out;
}

} // namespace

result<node> changed_node(const node& stored, const node_put& put) {
  auto who = std::string(name_of(stored.kind)) + " " + std::to_string(stored.id);
  const auto& given = put.what;
  if (put.existing == on_existing::keep && given.id == 0)
    return stored;
  if (given.id != 0 && given.type != 0 && given.type != stored.type)
    return {errc::invalid, "the type of the " + who + " is " + std::to_string(stored.type)
                             + " and never changes; put a new one"};
  if (put.if_version != 0 && put.if_version != stored.version)
    return {errc::refused, "the " + who + " has version " + std::to_string(stored.version)
                             + ", not " + std::to_string(put.if_version)
                             + ": somebody changed it; read it again"};
  if (!put.mask.empty())
    return masked(stored, given, put.mask);
  auto out = given;
  if (stored.kind != node_kind::context) {
    if (!given.name.empty() && given.name != stored.name)
      return {errc::invalid,
              "the name of the " + who + " never changes; leave it out, or put a new one"};
    out.name = stored.name;
  }
  out.id = stored.id;
  out.type = stored.type;
  out.version = stored.version;
  out.sequence = stored.sequence;
  out.created_ns = stored.created_ns;
  out.updated_ns = stored.updated_ns;
  return out;
}

} // namespace troupe::storage
