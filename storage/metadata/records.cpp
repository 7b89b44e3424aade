#include "storage/metadata/records.hpp"

#include "storage/metadata/keys.hpp"
#include "storage/record.hpp"

#include <bit>

namespace troupe::storage {

namespace {

error malformed(std::string_view key) {
  return {errc::corrupt, "the stored record " + hex(key.substr(0, 16))
                           + " has another form than its kind; restore the store from a copy"};
}

void put(field_writer& to, const property_map& all) {
  to.count(static_cast<uint32_t>(all.size()));
  for (const auto& [name, value] : all) {
    to.text(name);
    to.count(static_cast<uint32_t>(kind_of(value)));
    switch (kind_of(value)) {
    case value_kind::integer:
      to.number(static_cast<uint64_t>(std::get<int64_t>(value)));
      break;
    case value_kind::real:
      to.number(std::bit_cast<uint64_t>(std::get<double>(value)));
      break;
    case value_kind::text:
      to.text(std::get<std::string>(value));
      break;
    case value_kind::boolean:
      to.count(std::get<bool>(value) ? 1 : 0);
      break;
    case value_kind::json:
      to.text(std::get<json_text>(value).text);
      break;
    case value_kind::any:
      to.text(std::get<any_bytes>(value).url);
      to.text(std::get<any_bytes>(value).bytes);
      break;
    }
  }
}

// False where it is none.
bool read_value(field_reader& from, property_value& to) {
  switch (static_cast<value_kind>(from.count())) {
  case value_kind::integer:
    to = static_cast<int64_t>(from.number());
    return true;
  case value_kind::real:
    to = std::bit_cast<double>(from.number());
    return true;
  case value_kind::text:
    to = std::string(from.text());
    return true;
  case value_kind::boolean:
    to = from.count() != 0;
    return true;
  case value_kind::json:
    to = json_text{std::string(from.text())};
    return true;
  case value_kind::any: {
    std::string url(from.text());
    to = any_bytes{std::move(url), std::string(from.text())};
    return true;
  }
  }
  return false;
}

bool read_values(field_reader& from, property_map& to) {
  auto n = from.count();
  for (uint32_t i = 0; i < n; ++i) {
    std::string name(from.text());
    property_value value;
    if (!from.good() || !read_value(from, value) || !from.good())
      return false;
    to.emplace_hint(to.end(), std::move(name), std::move(value));
  }
  return from.good();
}

bool is_state(uint32_t x) {
  return name_of(static_cast<node_state>(x)) != "?" && x <= UINT8_MAX;
}

bool is_kind(uint32_t x) {
  return x == 'A' || x == 'X' || x == 'C';
}

} // namespace

uint64_t& metadata_counters::of(node_kind x) noexcept {
  if (x == node_kind::artifact)
    return artifacts;
  return x == node_kind::execution ? executions : contexts;
}

std::string encode(std::string_view key, const node& x) {
  field_writer out;
  for (auto number : {x.type, x.version, x.sequence, x.created_ns, x.updated_ns})
    out.number(number);
  out.count(static_cast<uint32_t>(x.state));
  for (const auto* text : {&x.name, &x.external_id, &x.uri, &x.hash, &x.fingerprint})
    out.text(*text);
  put(out, x.properties);
  put(out, x.custom);
  return seal(key, out.take());
}

result<node> read_node(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  node x;
  x.kind = static_cast<node_kind>(key[1]);
  x.id = id_of_node_key(key);
  for (auto* number : {&x.type, &x.version, &x.sequence, &x.created_ns, &x.updated_ns})
    *number = in.number();
  auto state = in.count();
  for (auto* text : {&x.name, &x.external_id, &x.uri, &x.hash, &x.fingerprint})
    *text = in.text();
  if (!is_state(state) || !read_values(in, x.properties) || !read_values(in, x.custom)
      || !in.whole())
    return malformed(key);
  x.state = static_cast<node_state>(state);
  return x;
}

std::string encode(std::string_view key, const node_type& x) {
  field_writer out;
  out.count(static_cast<uint32_t>(x.kind));
  for (const auto* text : {&x.name, &x.version, &x.description, &x.external_id, &x.base})
    out.text(*text);
  out.count(static_cast<uint32_t>(x.properties.size()));
  for (const auto& [name, kind] : x.properties) {
    out.text(name);
    out.count(static_cast<uint32_t>(kind));
  }
  return seal(key, out.take());
}

result<node_type> read_type(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  node_type x;
  auto kind = in.count();
  x.kind = static_cast<node_kind>(kind);
  x.id = other_of(key);
  for (auto* text : {&x.name, &x.version, &x.description, &x.external_id, &x.base})
    *text = in.text();
  auto n = in.count();
  for (uint32_t i = 0; i < n && in.good(); ++i) {
    std::string name(in.text());
    auto of = in.count();
    if (of > static_cast<uint32_t>(value_kind::any))
      return malformed(key);
    x.properties.emplace(std::move(name), static_cast<value_kind>(of));
  }
  if (!is_kind(kind) || !in.whole())
    return malformed(key);
  return x;
}

std::string encode(std::string_view key, const event& x) {
  field_writer out;
  out.number(x.sequence);
  out.number(x.time_ns);
  out.count(static_cast<uint32_t>(x.path.size()));
  for (const auto& step : x.path) {
    const auto* name = std::get_if<std::string>(&step);
    out.count(name != nullptr ? 1 : 0);
    if (name != nullptr)
      out.text(*name);
    else
      out.number(static_cast<uint64_t>(std::get<int64_t>(step)));
  }
  return seal(key, out.take());
}

result<event> read_event(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  event x;
  auto at = id_of_node_key(key);
  auto of_artifact = key[1] == static_cast<char>(node_kind::artifact);
  x.artifact = of_artifact ? at : other_of(key);
  x.execution = of_artifact ? other_of(key) : at;
  auto type = static_cast<uint8_t>(key[key.size() - 9]);
  x.type = static_cast<event_type>(type);
  x.sequence = in.number();
  x.time_ns = in.number();
  auto n = in.count();
  for (uint32_t i = 0; i < n && in.good(); ++i) {
    if (in.count() != 0)
      x.path.emplace_back(std::string(in.text()));
    else
      x.path.emplace_back(static_cast<int64_t>(in.number()));
  }
  if (type == 0 || type > event_type_last || !in.whole())
    return malformed(key);
  return x;
}

std::string encode(std::string_view key, const link& x) {
  return encode_id(key, x.sequence);
}

result<link> read_link(std::string_view key, std::string_view value) {
  auto sequence = read_id(key, value);
  if (!sequence)
    return sequence.error();
  link x;
  auto at = id_of_node_key(key);
  auto which = key[key.size() - 9];
  auto from_context = which == 'a' || which == 'x' || which == 'p';
  x.context = from_context ? at : other_of(key);
  x.other = from_context ? other_of(key) : at;
  x.sequence = *sequence;
  if (which == 'p' || which == 'k')
    x.kind = link_kind::parent;
  else if (which == 'x' || key[1] == static_cast<char>(node_kind::execution))
    x.kind = link_kind::association;
  return x;
}

std::string encode(std::string_view key, const change_record& x) {
  field_writer out;
  out.number(x.time_ns);
  out.count(static_cast<uint32_t>(x.nodes.size()));
  for (const auto& each : x.nodes) {
    out.count(static_cast<uint32_t>(each.what) | static_cast<uint32_t>(each.kind) << 8);
    for (auto number : {each.id, each.type, each.version})
      out.number(number);
  }
  return seal(key, out.take());
}

result<change_record> read_change(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  change_record x;
  x.time_ns = in.number();
  auto n = in.count();
  for (uint32_t i = 0; i < n && in.good(); ++i) {
    auto& each = x.nodes.emplace_back();
    auto bits = in.count();
    each.what = static_cast<change_kind>(bits & 0xff);
    each.kind = static_cast<node_kind>(bits >> 8 & 0xff);
    if ((bits & 0xff) < 1 || (bits & 0xff) > 3 || !is_kind(bits >> 8))
      return malformed(key);
    for (auto* number : {&each.id, &each.type, &each.version})
      *number = in.number();
  }
  if (!in.whole())
    return malformed(key);
  return x;
}

std::string encode(std::string_view key, const metadata_counters& x) {
  field_writer out;
  for (auto number : {x.sequence, x.artifacts, x.executions, x.contexts, x.types, x.time_ns})
    out.number(number);
  return seal(key, out.take());
}

result<metadata_counters> read_counters(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  metadata_counters x;
  for (auto* number : {&x.sequence, &x.artifacts, &x.executions, &x.contexts, &x.types, &x.time_ns})
    *number = in.number();
  if (!in.whole())
    return malformed(key);
  return x;
}

std::string encode(std::string_view key, const subscription& x) {
  field_writer out;
  out.count(static_cast<uint32_t>(x.kind));
  out.text(x.filter);
  out.number(x.next.sequence);
  out.number(x.next.index);
  return seal(key, out.take());
}

result<subscription> read_subscription(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  subscription x;
  x.name = key.substr(subscriptions_prefix().size());
  auto kind = in.count();
  x.kind = static_cast<node_kind>(kind);
  x.filter = in.text();
  x.next.sequence = in.number();
  x.next.index = in.number();
  if (!is_kind(kind) || !in.whole())
    return malformed(key);
  return x;
}

std::string encode(std::string_view key, const claim& x) {
  field_writer out;
  out.count(static_cast<uint32_t>(x.state));
  out.number(x.attempt);
  out.number(x.holder);
  return seal(key, out.take());
}

result<claim> read_claim(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  claim x;
  constexpr size_t numbers = 16; // bytes of artifact and version
  x.consumer = key.substr(2, key.size() - 3 - numbers);
  x.artifact = from_big_endian(key.substr(key.size() - numbers, 8));
  x.version = other_of(key);
  auto state = in.count();
  x.state = static_cast<claim_state>(state);
  x.attempt = in.number();
  x.holder = in.number();
  if (state < 1 || state > 3 || !in.whole())
    return malformed(key);
  return x;
}

std::string encode_id(std::string_view key, uint64_t id) {
  field_writer out;
  out.number(id);
  return seal(key, out.take());
}

result<uint64_t> read_id(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  auto id = in.number();
  if (!in.whole())
    return malformed(key);
  return id;
}

} // namespace troupe::storage
