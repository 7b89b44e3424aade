// What the metadata store holds, after ML Metadata (Google): artifacts, executions and contexts,
// each of a type; the events that join executions to artifacts; the links of contexts. Keys and
// values: formats.md.
// Threads: plain values and functions.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::storage {

namespace metadata_limits {
inline constexpr size_t name_max = 256;        // bytes of the name of a type, node or property
inline constexpr size_t uri_max = 4096;        // bytes
inline constexpr size_t text_max = 1024;       // bytes: external id, hash, description, path step
inline constexpr size_t value_max = 64 << 10;  // bytes of a property's value
inline constexpr size_t properties_max = 256;  // of one node or type, of each kind
inline constexpr size_t path_max = 64;         // steps of an event's path
inline constexpr size_t changes_max = 100'000; // nodes, events and links of one change set
inline constexpr size_t set_bytes_max = 64 << 20; // that one change set writes
} // namespace metadata_limits

enum class node_kind : uint8_t { artifact = 'A', execution = 'X', context = 'C' };

inline constexpr node_kind node_kinds[]
  = {node_kind::artifact, node_kind::execution, node_kind::context};

// Values of properties. A structure is JSON text; `any_bytes` is a message of a type that its url
// names (google.protobuf.Any).
struct json_text {
  std::string text;
  friend bool operator==(const json_text&, const json_text&) = default;
};

struct any_bytes {
  std::string url;
  std::string bytes;
  friend bool operator==(const any_bytes&, const any_bytes&) = default;
};

using property_value = std::variant<int64_t, double, std::string, bool, json_text, any_bytes>;

// In the order of the alternatives above.
enum class value_kind : uint8_t { integer, real, text, boolean, json, any };

value_kind kind_of(const property_value& x) noexcept;

using property_map = std::map<std::string, property_value, std::less<>>;

// `none` of each kind; the others of artifacts (pending to reference) or of executions.
enum class node_state : uint8_t {
  none = 0,
  pending = 1,
  live = 2,
  marked_for_deletion = 3,
  deleted = 4,
  abandoned = 5,
  reference = 6,
  created = 17,
  running = 18,
  complete = 19,
  failed = 20,
  cached = 21,
  canceled = 22,
};

// An artifact is a thing (data, a model), an execution is something that ran, a context is what
// both belong to (a pipeline, a study). The store sets the last four.
struct node {
  node_kind kind = node_kind::artifact;
  uint64_t id = 0; // of its kind, from 1
  uint64_t type = 0;
  std::string name;        // unique in its type; may be empty, but not of a context
  std::string external_id; // unique in its kind; may be empty
  node_state state = node_state::none;
  std::string uri;         // of an artifact
  std::string hash;        // of an artifact: SHA-256, 64 lowercase hexadecimal digits, or empty
  std::string fingerprint; // of an execution: what a rerun with the same result would have
  property_map properties; // declared by its type
  property_map custom;     // not declared
  uint64_t version = 0;    // from 1, one more with each change
  uint64_t sequence = 0;   // of the last change
  uint64_t created_ns = 0; // since 1970, never before that of a lower id
  uint64_t updated_ns = 0;

  friend bool operator==(const node&, const node&) = default;
};

// A property that is a text or a whole number, as text: the declared one, or else the custom one.
// Empty where there is none.
std::string text_property(const node& x, std::string_view name);

// What a node of a type may say. Types of one name and other versions are other types.
struct node_type {
  node_kind kind = node_kind::artifact;
  uint64_t id = 0; // over all kinds, from 1
  std::string name;
  std::string version; // may be empty
  std::string description;
  std::string external_id;
  std::string base; // one of base_types(kind), or empty
  std::map<std::string, value_kind, std::less<>> properties;

  friend bool operator==(const node_type&, const node_type&) = default;
};

// The general types that a type may be of: "Dataset", "Model" ... "Train", "Evaluate" ...
const std::vector<std::string_view>& base_types(node_kind kind);

// As ML Metadata numbers them.
enum class event_type : uint8_t {
  declared_output = 1,
  declared_input = 2,
  input = 3,
  output = 4,
  internal_input = 5,
  internal_output = 6,
  pending_output = 7,
};

inline constexpr uint8_t event_type_last = 7;

// Whether the execution read the artifact, else it wrote it.
bool is_input(event_type x) noexcept;

// Where in the inputs or outputs of the execution the artifact stands: an argument's name, an
// index.
using path_step = std::variant<int64_t, std::string>;

// One event of each type between an execution and an artifact.
struct event {
  uint64_t execution = 0; // ids
  uint64_t artifact = 0;
  event_type type = event_type::input;
  std::vector<path_step> path{};
  uint64_t time_ns = 0;  // since 1970
  uint64_t sequence = 0; // of the change that added it

  friend bool operator==(const event&, const event&) = default;
};

// An artifact (attribution) or an execution (association) in a context, or a context below
// another one (parent).
enum class link_kind : uint8_t { attribution, association, parent };

struct link {
  link_kind kind = link_kind::attribution;
  uint64_t context = 0; // ids; of a parent link the child
  uint64_t other = 0;
  uint64_t sequence = 0; // of the change that added it

  friend bool operator==(const link&, const link&) = default;
};

// The node kind at the other end of a link.
node_kind other_end(link_kind x) noexcept;

// "artifact", "MARKED_FOR_DELETION", "INPUT", "STRING"; the names of ML Metadata.
std::string_view name_of(node_kind x) noexcept;
std::string_view name_of(node_state x) noexcept;
std::string_view name_of(event_type x) noexcept;
std::string_view name_of(value_kind x) noexcept;

// The other way; without regard to case. Empty where there is none.
std::optional<node_kind> node_kind_named(std::string_view name);
std::optional<node_state> node_state_named(node_kind of, std::string_view name);
std::optional<event_type> event_type_named(std::string_view name);
std::optional<value_kind> value_kind_named(std::string_view name);

// Whether a node, type or event is well formed: errc::invalid says what is not. They do not see
// whether the ids exist.
result<void> check(const node& x);
result<void> check(const node_type& x);
result<void> check_path(const std::vector<path_step>& path);

// A name, of a property for example: 1 to name_max bytes of UTF-8 without control characters.
// `what` says whose: "the name of a type".
result<void> check_name(std::string_view x, std::string_view what);

// The text with %XX for each byte that the store refuses: of control characters, and of what is not
// UTF-8.
std::string percent_encoded(std::string_view x);

// The same, cut to so many bytes, which are 16 or more.
std::string fitting(std::string_view x, size_t bytes_max);

} // namespace troupe::storage
