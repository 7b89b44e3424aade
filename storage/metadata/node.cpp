#include "storage/metadata/node.hpp"

#include "storage/record.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace troupe::storage {

namespace {

template <class T>
using names = std::vector<std::pair<T, std::string_view>>;

const names<node_kind>& kind_names() {
  static const names<node_kind> all = {{node_kind::artifact, "artifact"},
                                       {node_kind::execution, "execution"},
                                       {node_kind::context, "context"}};
  return all;
}

const names<node_state>& state_names() {
  using enum node_state;
  static const names<node_state> all
    = {{none, "UNKNOWN"},        {pending, "PENDING"},
       {live, "LIVE"},           {marked_for_deletion, "MARKED_FOR_DELETION"},
       {deleted, "DELETED"},     {abandoned, "ABANDONED"},
       {reference, "REFERENCE"}, {created, "NEW"},
       {running, "RUNNING"},     {complete, "COMPLETE"},
       {failed, "FAILED"},       {cached, "CACHED"},
       {canceled, "CANCELED"}};
  return all;
}

const names<event_type>& event_names() {
  using enum event_type;
  static const names<event_type> all = {{declared_output, "DECLARED_OUTPUT"},
                                        {declared_input, "DECLARED_INPUT"},
                                        {input, "INPUT"},
                                        {output, "OUTPUT"},
                                        {internal_input, "INTERNAL_INPUT"},
                                        {internal_output, "INTERNAL_OUTPUT"},
                                        {pending_output, "PENDING_OUTPUT"}};
  return all;
}

const names<value_kind>& value_names() {
  using enum value_kind;
  static const names<value_kind> all = {{integer, "INT"},     {real, "DOUBLE"}, {text, "STRING"},
                                        {boolean, "BOOLEAN"}, {json, "STRUCT"}, {any, "PROTO"}};
  return all;
}

template <class T>
std::string_view name_in(const names<T>& all, T x) noexcept {
  for (const auto& [value, name] : all)
    if (value == x)
      return name;
  return "?";
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

template <class T>
std::optional<T> value_in(const names<T>& all, std::string_view name) {
  for (const auto& [value, known] : all)
    if (same_letters(known, name))
      return value;
  return std::nullopt;
}

bool state_fits(node_kind kind, node_state state) {
  if (state == node_state::none)
    return true;
  if (kind == node_kind::context)
    return false;
  return (kind == node_kind::execution) == (state >= node_state::created);
}

// The bytes of the code point that begins there, 0 where it is not UTF-8 (RFC 3629).
size_t code_point(std::string_view at) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(at[i]); };
  auto first = byte(0);
  if (first < 0x80)
    return 1;
  size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at.size() < n)
    return 0;
  for (size_t i = 1; i < n; ++i)
    if (byte(i) >> 6 != 2)
      return 0;
  auto second = byte(1);
  auto narrow = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)
                || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return narrow ? 0 : n;
}

bool is_control(char x) {
  return x == 0x7f || static_cast<unsigned char>(x) < 0x20;
}

result<void> check_text(std::string_view x, size_t size_max, std::string_view what) {
  if (x.size() > size_max)
    return {errc::invalid, std::string(what) + " has " + std::to_string(x.size())
                             + " bytes; at most " + std::to_string(size_max) + " are kept"};
  for (size_t i = 0; i < x.size();) {
    auto n = code_point(x.substr(i));
    if (n == 0)
      return {errc::invalid,
              std::string(what) + " (" + printable(x) + ") is not UTF-8; encode it so"};
    if (n == 1 && is_control(x[i]))
      return {errc::invalid,
              std::string(what) + " (" + printable(x) + ") has a control character; leave it out"};
    i += n;
  }
  return {};
}

size_t size_of(const property_value& x) {
  if (const auto* text = std::get_if<std::string>(&x))
    return text->size();
  if (const auto* json = std::get_if<json_text>(&x))
    return json->text.size();
  if (const auto* any = std::get_if<any_bytes>(&x))
    return any->url.size() + any->bytes.size();
  return 8;
}

// Of all properties of a node: what is more fits no message.
constexpr size_t properties_bytes_max = 512 << 10;

result<void> check_room(const node& x, std::string_view what) {
  size_t bytes = 0;
  for (const auto* all : {&x.properties, &x.custom})
    for (const auto& [name, value] : *all)
      bytes += name.size() + size_of(value);
  if (bytes <= properties_bytes_max)
    return {};
  return {errc::invalid, std::string(what) + " has properties of " + std::to_string(bytes)
                           + " bytes; at most " + std::to_string(properties_bytes_max)
                           + " are kept: put them in a file, and its uri here"};
}

result<void> check_properties(const property_map& all, std::string_view what) {
  if (all.size() > metadata_limits::properties_max)
    return {errc::invalid, std::string(what) + " has " + std::to_string(all.size())
                             + " properties; at most "
                             + std::to_string(metadata_limits::properties_max) + " are kept"};
  for (const auto& [name, value] : all) {
    TROUPE_TRY(check_name(name, "the name of a property"));
    if (size_of(value) > metadata_limits::value_max)
      return {errc::invalid, "the property " + name + " has " + std::to_string(size_of(value))
                               + " bytes; at most " + std::to_string(metadata_limits::value_max)
                               + " are kept: put it in a file, and its uri here"};
    if (const auto* real = std::get_if<double>(&value); real != nullptr && std::isnan(*real))
      return {errc::invalid,
              "the property " + name + " is not a number; leave it out where there is none"};
  }
  return {};
}

} // namespace

std::string text_property(const node& x, std::string_view name) {
  for (const auto* all : {&x.properties, &x.custom})
    if (auto found = all->find(name); found != all->end()) {
      if (const auto* text = std::get_if<std::string>(&found->second))
        return *text;
      if (const auto* value = std::get_if<int64_t>(&found->second))
        return std::to_string(*value);
    }
  return {};
}

value_kind kind_of(const property_value& x) noexcept {
  return static_cast<value_kind>(x.index());
}

const std::vector<std::string_view>& base_types(node_kind kind) {
  static const std::vector<std::string_view> artifacts
    = {"Dataset", "Model", "Metrics", "Statistics"};
  static const std::vector<std::string_view> executions
    = {"Train", "Transform", "Process", "Evaluate", "Deploy"};
  static const std::vector<std::string_view> contexts;
  return kind == node_kind::artifact ? artifacts
                                     : (kind == node_kind::execution ? executions : contexts);
}

bool is_input(event_type x) noexcept {
  return x == event_type::input || x == event_type::declared_input
         || x == event_type::internal_input;
}

node_kind other_end(link_kind x) noexcept {
  if (x == link_kind::parent)
    return node_kind::context;
  return x == link_kind::attribution ? node_kind::artifact : node_kind::execution;
}

std::string_view name_of(node_kind x) noexcept {
  return name_in(kind_names(), x);
}

std::string_view name_of(node_state x) noexcept {
  return name_in(state_names(), x);
}

std::string_view name_of(event_type x) noexcept {
  return name_in(event_names(), x);
}

std::string_view name_of(value_kind x) noexcept {
  return name_in(value_names(), x);
}

std::optional<node_kind> node_kind_named(std::string_view name) {
  return value_in(kind_names(), name);
}

std::optional<node_state> node_state_named(node_kind of, std::string_view name) {
  auto found = value_in(state_names(), name);
  return found && state_fits(of, *found) ? found : std::nullopt;
}

std::optional<event_type> event_type_named(std::string_view name) {
  return value_in(event_names(), name);
}

std::optional<value_kind> value_kind_named(std::string_view name) {
  return value_in(value_names(), name);
}

result<void> check_name(std::string_view x, std::string_view what) {
  if (x.empty())
    return {errc::invalid, std::string(what) + " is empty; give one"};
  return check_text(x, metadata_limits::name_max, what);
}

result<void> check(const node& x) {
  auto what = std::string(name_of(x.kind));
  if (!x.name.empty())
    TROUPE_TRY(check_name(x.name, "the name of the " + what));
  TROUPE_TRY(
    check_text(x.external_id, metadata_limits::text_max, "the external id of the " + what));
  TROUPE_TRY(check_text(x.uri, metadata_limits::uri_max, "the uri of the " + what));
  TROUPE_TRY(check_text(x.fingerprint, metadata_limits::name_max, "the fingerprint"));
  if (x.kind != node_kind::artifact && (!x.uri.empty() || !x.hash.empty()))
    return {errc::invalid, "only an artifact has a uri and a hash; leave them out of the " + what};
  if (x.kind != node_kind::execution && !x.fingerprint.empty())
    return {errc::invalid, "only an execution has a fingerprint; leave it out of the " + what};
  if (!x.hash.empty() && !is_hex(x.hash, 64))
    return {errc::invalid, "the hash " + printable(x.hash)
                             + " is not 64 lowercase hexadecimal digits; give the SHA-256"};
  if (!state_fits(x.kind, x.state))
    return {errc::invalid, "the state " + std::string(name_of(x.state)) + " is none of the " + what
                             + "s; choose one of theirs"};
  TROUPE_TRY(check_properties(x.properties, "the " + what));
  TROUPE_TRY(check_properties(x.custom, "the " + what));
  return check_room(x, "the " + what);
}

result<void> check(const node_type& x) {
  TROUPE_TRY(check_name(x.name, "the name of a type"));
  TROUPE_TRY(check_text(x.version, metadata_limits::name_max, "the version of the type " + x.name));
  TROUPE_TRY(
    check_text(x.external_id, metadata_limits::text_max, "the external id of the type " + x.name));
  if (x.description.size() > metadata_limits::value_max)
    return {errc::invalid, "the description of the type " + x.name + " has "
                             + std::to_string(x.description.size()) + " bytes; at most "
                             + std::to_string(metadata_limits::value_max) + " are kept"};
  if (x.properties.size() > metadata_limits::properties_max)
    return {errc::invalid, "the type " + x.name + " has " + std::to_string(x.properties.size())
                             + " properties; at most "
                             + std::to_string(metadata_limits::properties_max) + " are kept"};
  for (const auto& [name, kind] : x.properties)
    TROUPE_TRY(check_name(name, "the name of a property of the type " + x.name));
  const auto& bases = base_types(x.kind);
  if (!x.base.empty() && std::find(bases.begin(), bases.end(), x.base) == bases.end())
    return {errc::invalid, "the base " + printable(x.base) + " of the type " + x.name
                             + " is none of the base types of its kind; leave it out"};
  return {};
}

result<void> check_path(const std::vector<path_step>& path) {
  if (path.size() > metadata_limits::path_max)
    return {errc::invalid, "the path of an event has " + std::to_string(path.size())
                             + " steps; at most " + std::to_string(metadata_limits::path_max)
                             + " are kept"};
  for (const auto& step : path)
    if (const auto* key = std::get_if<std::string>(&step))
      TROUPE_TRY(check_text(*key, metadata_limits::text_max, "a step of an event's path"));
  return {};
}

std::string percent_encoded(std::string_view x) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  while (!x.empty()) {
    auto n = code_point(x);
    if (n == 0 || is_control(x[0])) {
      auto byte = static_cast<unsigned char>(x[0]);
      out.append(1, '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
      n = 1;
    } else {
      out += x.substr(0, n);
    }
    x.remove_prefix(n);
  }
  return out;
}

std::string fitting(std::string_view x, size_t bytes_max) {
  auto all = percent_encoded(x);
  if (all.size() <= bytes_max)
    return all;
  constexpr size_t cut_character = 9; // bytes that three bytes of one take when they are encoded
  return percent_encoded(std::string_view(all).substr(0, bytes_max - cut_character));
}

} // namespace troupe::storage
