// What the metadata holds, for people and programs: JSON and pictures.
// Threads: plain functions.
#pragma once

#include "actors/lineage/picture.hpp"
#include "storage/metadata/lineage.hpp"

#include <nlohmann/json_fwd.hpp>

namespace troupe {

// What people would call it: its name, or the end of its uri; empty where it has neither.
std::string title_of(const storage::node& x);

// One object of names and values: kind, id, type (its name), name, external_id, state, uri, sha256,
// fingerprint, properties, custom_properties, version, sequence, created_ns, updated_ns. What a
// node does not have is left out; bytes are in base 64.
nlohmann::json as_json(const storage::node& x, const storage::type_catalog& types);

// {"nodes": [...], "events": [{"execution", "artifact", "type", "path", "time_ns"}], "contexts",
// "links", "truncated"}; each node has its "hops".
nlohmann::json as_json(const storage::lineage_graph& x, const storage::type_catalog& types);

// Each node with its type, its name or the end of its uri, its id and the begin of its hash.
picture picture_of(const storage::lineage_graph& x, const storage::type_catalog& types);

} // namespace troupe
