#include "storage/metadata/keys.hpp"

#include "storage/record.hpp"

#include <algorithm>
#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::storage {

namespace {

constexpr size_t text_in_index = 48; // bytes of a text that its index key holds

std::string under(std::string_view first) {
  return std::string{"m"}.append(first);
}

char letter(node_kind x) {
  return static_cast<char>(x);
}

std::string index(char which) {
  return under({"i", 1}) + which;
}

// Numbers of either sign in the order of their bytes.
std::string ordered(int64_t x) {
  return big_endian(static_cast<uint64_t>(x) ^ (uint64_t{1} << 63));
}

std::string ordered(double x) {
  auto bits = std::bit_cast<uint64_t>(x == 0 ? 0.0 : x); // -0 is 0
  return big_endian(bits >> 63 != 0 ? ~bits : bits | uint64_t{1} << 63);
}

std::string hashed(std::string_view x) {
  return big_endian(XXH3_64bits(x.data(), x.size()));
}

char link_letter(link_kind kind, bool from_context) {
  switch (kind) {
  case link_kind::attribution:
    return from_context ? 'a' : 'c';
  case link_kind::association:
    return from_context ? 'x' : 'c';
  case link_kind::parent:
    return from_context ? 'p' : 'k';
  }
  TROUPE_ASSERT(false);
  return 0;
}

} // namespace

bool is_read_back(std::string_view key) noexcept {
  return key.size() > 1 && key[1] != 'i' && key[1] != 'l';
}

std::string counters_key() {
  return under("#");
}

std::string types_prefix() {
  return under("t");
}

std::string type_key(uint64_t id) {
  return types_prefix() + big_endian(id);
}

std::string nodes_prefix(node_kind kind) {
  return under({}) + letter(kind);
}

std::string node_key(node_kind kind, uint64_t id) {
  return nodes_prefix(kind) + big_endian(id);
}

uint64_t id_of_node_key(std::string_view key) {
  return from_big_endian(key.substr(2, 8));
}

std::string versions_prefix(node_kind kind, uint64_t id) {
  return node_key(kind, id) + 'h';
}

std::string version_key(node_kind kind, uint64_t id, uint64_t replaced_by) {
  return versions_prefix(kind, id) + big_endian(replaced_by);
}

std::string events_prefix(node_kind at, uint64_t id) {
  return node_key(at, id) + 'e';
}

std::string event_key(node_kind at, uint64_t id, event_type type, uint64_t other) {
  return events_prefix(at, id) + static_cast<char>(type) + big_endian(other);
}

std::string links_prefix(link_kind kind, bool from_context, uint64_t id) {
  auto at = from_context ? node_kind::context : other_end(kind);
  return node_key(at, id) + link_letter(kind, from_context);
}

std::string link_key(link_kind kind, bool from_context, uint64_t id, uint64_t other) {
  return links_prefix(kind, from_context, id) + big_endian(other);
}

uint64_t other_of(std::string_view key) {
  return from_big_endian(key.substr(key.size() - 8));
}

std::string name_key(node_kind kind, uint64_t type, std::string_view name) {
  return (under("n") + letter(kind)).append(big_endian(type)).append(name);
}

std::string external_id_key(node_kind kind, std::string_view external_id) {
  return (under("d") + letter(kind)).append(external_id);
}

std::string type_index(node_kind kind, uint64_t type) {
  return index('t') + letter(kind) + big_endian(type);
}

std::string update_index(node_kind kind) {
  return index('l') + letter(kind);
}

std::string update_index(node_kind kind, uint64_t sequence) {
  return update_index(kind) + big_endian(sequence);
}

std::string uri_index(std::string_view uri) {
  return index('u') + hashed(uri);
}

std::string hash_index(std::string_view hash) {
  return index('s').append(hash);
}

std::string fingerprint_index(std::string_view fingerprint) {
  return index('f') + hashed(fingerprint);
}

std::string property_index(node_kind kind, bool custom, std::string_view name) {
  return (index('p') + letter(kind) + (custom ? 'c' : 'd')).append(name).append(1, '\0');
}

std::string property_index(node_kind kind, bool custom, std::string_view name,
                           const property_value& value) {
  auto key = property_index(kind, custom, name);
  if (const auto* number = std::get_if<int64_t>(&value))
    return key.append(1, 'i').append(ordered(*number));
  if (const auto* real = std::get_if<double>(&value))
    return key.append(1, 'r').append(ordered(*real));
  if (const auto* text = std::get_if<std::string>(&value))
    return key.append(1, 's').append(text->substr(0, text_in_index)).append(1, '\0');
  if (const auto* truth = std::get_if<bool>(&value))
    return key.append(1, 'b').append(1, *truth ? '1' : '0');
  return {};
}

std::vector<std::string> index_keys(const node& x) {
  std::vector<std::string> out{type_index(x.kind, x.type), update_index(x.kind, x.sequence)};
  if (x.kind == node_kind::artifact)
    out.push_back(uri_index(x.uri));
  if (!x.hash.empty())
    out.push_back(hash_index(x.hash));
  if (!x.fingerprint.empty())
    out.push_back(fingerprint_index(x.fingerprint));
  for (auto custom : {false, true})
    for (const auto& [name, value] : custom ? x.custom : x.properties)
      if (auto key = property_index(x.kind, custom, name, value); !key.empty())
        out.push_back(std::move(key));
  for (auto& key : out)
    key += big_endian(x.id);
  std::sort(out.begin(), out.end());
  return out;
}

std::string subscriptions_prefix() {
  return under("s");
}

std::string subscription_key(std::string_view name) {
  return subscriptions_prefix().append(name);
}

std::string claims_prefix(std::string_view consumer) {
  return under("k").append(consumer).append(1, '\0');
}

std::string claim_key(std::string_view consumer, uint64_t artifact, uint64_t version) {
  return claims_prefix(consumer) + big_endian(artifact) + big_endian(version);
}

std::string changes_prefix() {
  return under("l");
}

std::string change_key(uint64_t sequence) {
  return changes_prefix() + big_endian(sequence);
}

uint64_t sequence_of_change(std::string_view key) {
  return from_big_endian(key.substr(2));
}

} // namespace troupe::storage
