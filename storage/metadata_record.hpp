// What the metadata store holds, after ML Metadata (Google, "Machine Learning Metadata"; TFX,
// OpML 2019): artifacts, executions, and the events that join them. Keys and values: formats.md.
// Threads: plain functions and values.
#pragma once

#include "runtime/base/result.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

namespace metadata_limits {
inline constexpr size_t name_max = 256;        // bytes of a type, name, state or property's name
inline constexpr size_t uri_max = 4096;        // bytes
inline constexpr size_t path_max = 1024;       // bytes
inline constexpr size_t value_max = 64 << 10;  // bytes of a property's value
inline constexpr size_t properties_max = 256;  // of one record
inline constexpr size_t changes_max = 100'000; // records of one apply
} // namespace metadata_limits

using properties = std::map<std::string, std::string>;

// A thing: a data file, a checkpoint, a model. An id is made by artifact_id.
struct artifact {
  std::string id;
  std::string type;
  std::string name;
  std::string uri;
  std::string hash; // SHA-256, 64 lowercase hexadecimal digits; empty where it has none
  storage::properties properties;
  uint64_t created_ns = 0; // since 1970

  friend bool operator==(const artifact&, const artifact&) = default;
};

// A thing that ran: a job attempt, a task. An id is made by execution_id.
struct execution {
  std::string id;
  std::string type;
  std::string name;
  std::string state;
  storage::properties properties;

  friend bool operator==(const execution&, const execution&) = default;
};

enum class event_role : uint8_t { input, output };

// The execution read the artifact (input) or wrote it (output), as its `path` (may be empty).
struct lineage_event {
  std::string execution; // ids
  std::string artifact;
  event_role role = event_role::input;
  std::string path;

  friend auto operator<=>(const lineage_event&, const lineage_event&) = default;
};

struct metadata_changes {
  std::vector<storage::artifact> artifacts; // new ones, or the new content of known ones
  std::vector<storage::execution> executions;
  std::vector<lineage_event> events; // both ends are in the store or in these changes
  batch beside{};                    // of keys of another projection, sealed by it
};

// The same key always gives the same id: 32 lowercase hexadecimal digits.
std::string artifact_id(std::string_view key);
std::string artifact_id(std::string_view uri, std::string_view hash);
std::string execution_id(std::string_view key);

// Whether every record is well formed: errc::invalid names the first that is not. It does not see
// whether the ends of an event exist.
result<void> check(const metadata_changes& changes);

// Keys.
std::string artifact_key(std::string_view id);
std::string execution_key(std::string_view id);
std::string edge_key(const lineage_event& x);                         // by execution
std::string back_edge_key(const lineage_event& x);                    // by artifact
std::string edges_of_execution(std::string_view id, event_role role); // prefixes
std::string edges_of_artifact(std::string_view id, event_role role);
std::string type_prefix(std::string_view type);
std::string property_prefix(std::string_view name, std::string_view value);
std::vector<std::string> index_keys(const artifact& x);

inline constexpr size_t id_size = 32;

// Sealed values. The readers give errc::corrupt or errc::invalid.
std::string encode(const artifact& x);
std::string encode(const execution& x);
result<artifact> read_artifact(std::string_view key, std::string_view value);
result<execution> read_execution(std::string_view key, std::string_view value);
result<lineage_event> read_edge(std::string_view key, std::string_view value);
result<lineage_event> read_back_edge(std::string_view key, std::string_view value);

} // namespace troupe::storage
