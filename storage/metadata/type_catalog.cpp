#include "storage/metadata/type_catalog.hpp"

namespace troupe::storage {

namespace {

error would_change(const node_type& x, const std::string& how) {
  return {errc::already_exists, "the type " + x.name + " is there and " + how};
}

// What is stored after the request; the stored one is not touched where it fails.
result<node_type> evolved(const node_type& stored, const node_type& x, type_evolution rule) {
  auto out = stored;
  for (const auto& [name, kind] : x.properties) {
    auto known = stored.properties.find(name);
    if (known == stored.properties.end() && !rule.may_add)
      return would_change(x, "has no property " + name
                               + "; allow to add properties, or put another version");
    if (known != stored.properties.end() && known->second != kind)
      return would_change(x, "its property " + name + " is " + std::string(name_of(known->second))
                               + "; put another version of the type");
    out.properties.emplace(name, kind);
  }
  if (!rule.may_omit)
    for (const auto& [name, kind] : stored.properties)
      if (!x.properties.contains(name))
        return would_change(x, "has the property " + name
                                 + " too; name it, or allow to omit properties");
  if (!x.base.empty() && !stored.base.empty() && x.base != stored.base)
    return would_change(x, "is based on " + stored.base + "; put another version of the type");
  if (!x.base.empty())
    out.base = x.base;
  if (!x.external_id.empty())
    out.external_id = x.external_id;
  if (!x.description.empty())
    out.description = x.description;
  return out;
}

} // namespace

void type_catalog::load(node_type x) {
  auto id = x.id;
  types_.insert_or_assign(id, std::move(x));
}

result<type_catalog::outcome> type_catalog::put(node_type x, type_evolution rule,
                                                uint64_t next_id) {
  TROUPE_TRY(check(x));
  const auto* stored = find(x.kind, x.name, x.version);
  if (const auto* other = by_external_id(x.kind, x.external_id);
      other != nullptr && other != stored)
    return error{errc::already_exists, "the external id " + x.external_id + " is that of the type "
                                         + other->name + "; choose another"};
  if (stored == nullptr) {
    x.id = next_id;
    return outcome{&types_.insert_or_assign(next_id, std::move(x)).first->second, true};
  }
  auto now = evolved(*stored, x, rule);
  if (!now)
    return now.error();
  auto changed = *now != *stored;
  auto& kept = types_.at(stored->id);
  kept = std::move(*now);
  return outcome{&kept, changed};
}

const node_type* type_catalog::find(uint64_t id) const {
  auto found = types_.find(id);
  return found == types_.end() ? nullptr : &found->second;
}

const node_type* type_catalog::find(node_kind kind, std::string_view name,
                                    std::string_view version) const {
  for (const auto& [id, x] : types_)
    if (x.kind == kind && x.name == name && x.version == version)
      return &x;
  return nullptr;
}

std::string type_catalog::name_of(uint64_t id) const {
  const auto* type = find(id);
  return type == nullptr ? std::to_string(id) : type->name;
}

const node_type* type_catalog::by_external_id(node_kind kind, std::string_view external_id) const {
  for (const auto& [id, x] : types_)
    if (!external_id.empty() && x.kind == kind && x.external_id == external_id)
      return &x;
  return nullptr;
}

std::vector<const node_type*> type_catalog::all(node_kind kind) const {
  std::vector<const node_type*> out;
  for (const auto& [id, x] : types_)
    if (x.kind == kind)
      out.push_back(&x);
  return out;
}

std::vector<const node_type*> type_catalog::named(node_kind kind, std::string_view name) const {
  std::vector<const node_type*> out;
  for (const auto* x : all(kind))
    if (x->name == name)
      out.push_back(x);
  return out;
}

result<void> check_against(const node& x, const node_type& type) {
  if (x.kind != type.kind)
    return {errc::invalid, "the type " + type.name + " is one of " + std::string(name_of(type.kind))
                             + "s; choose a type of " + std::string(name_of(x.kind)) + "s"};
  for (const auto& [name, value] : x.properties) {
    auto declared = type.properties.find(name);
    if (declared == type.properties.end())
      return {errc::invalid, "the type " + type.name + " declares no property " + name
                               + "; make it a custom property, or add it to the type"};
    if (declared->second != kind_of(value))
      return {errc::invalid, "unmatched property type: " + name + " of the type " + type.name
                               + " is " + std::string(name_of(declared->second)) + ", not "
                               + std::string(name_of(kind_of(value)))};
  }
  return {};
}

} // namespace troupe::storage
