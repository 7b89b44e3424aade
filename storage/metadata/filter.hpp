// The filter language of the metadata store, as text and as a tree. Grammar and meaning:
// formats.md ("Filters").
// Threads: plain values and functions.
// Errors: errc::invalid, with the place in the text and what is wrong there.
#pragma once

#include "storage/metadata/node.hpp"

#include <memory>
#include <optional>
#include <set>
#include <tuple>

namespace troupe::storage {

namespace filter_limits {
inline constexpr size_t text_max = 16 << 10; // bytes
inline constexpr size_t depth_max = 64;      // of parentheses and signs
inline constexpr size_t operators_max = 256; // of arithmetic
inline constexpr size_t pattern_max = 1024;  // bytes of a LIKE pattern
inline constexpr size_t aliases_max = 8;     // different neighbours in one filter
} // namespace filter_limits

// What a name reads: something of the node itself, or of a neighbour.
enum class filter_field : uint8_t {
  id,
  type_id,
  type,
  name,
  external_id,
  state,
  uri,
  hash,
  fingerprint,
  version,
  created_ms,
  updated_ms,
  property,
  custom_property,
  event_kind,
  event_ms,
  event_artifact,
  event_execution,
};

enum class neighbour_kind : uint8_t {
  none, // the node itself
  contexts,
  events,
  artifacts,
  executions,
  parent_contexts,
  child_contexts,
};

// One neighbour of a filter: all names with the same kind and alias mean the same one.
struct filter_alias {
  neighbour_kind kind = neighbour_kind::none;
  std::string alias;

  friend bool operator==(const filter_alias&, const filter_alias&) = default;
  friend bool operator<(const filter_alias& a, const filter_alias& b) {
    return std::tie(a.kind, a.alias) < std::tie(b.kind, b.alias);
  }
};

enum class filter_op : uint8_t {
  literal,
  name,
  all_of,
  any_of,
  negation,
  equal,
  unequal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  like,
  is_null,
  plus,
  minus,
  times,
  divided,
  sign, // unary minus
};

struct filter_node {
  filter_op op = filter_op::literal;
  std::vector<filter_node> parts{};

  property_value value{}; // of a literal; the number of a state or an event's type
  filter_alias where{};   // of a name
  filter_field field = filter_field::id;
  std::string key{};              // of a property
  std::optional<value_kind> as{}; // of a property: only values of this kind
};

// A filter on nodes of one kind. An empty text holds for all.
struct filter {
  node_kind kind = node_kind::artifact;
  std::optional<filter_node> root{};
  std::set<filter_alias> aliases{};
};

// A text as the language writes it.
std::string filter_text(std::string_view x);

result<filter> parse_filter(node_kind kind, std::string_view text);

} // namespace troupe::storage
