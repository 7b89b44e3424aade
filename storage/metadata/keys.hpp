// The keys of the metadata store. Grammar: formats.md.
// Threads: plain functions.
#pragma once

#include "storage/metadata/node.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

// Whether a change set may have to read it: not the indexes for questions, nor the change records.
bool is_read_back(std::string_view key) noexcept;

std::string counters_key();
std::string type_key(uint64_t id);
std::string types_prefix();

// Everything of a node begins with its own key.
std::string node_key(node_kind kind, uint64_t id);
std::string nodes_prefix(node_kind kind);
uint64_t id_of_node_key(std::string_view key);
std::string version_key(node_kind kind, uint64_t id, uint64_t replaced_by);
std::string versions_prefix(node_kind kind, uint64_t id);

// An event stands under both of its ends.
std::string event_key(node_kind at, uint64_t id, event_type type, uint64_t other);
std::string events_prefix(node_kind at, uint64_t id);

// So does a link; `at` says which end the key is under: of a parent link `from_context` is the
// child's side.
std::string link_key(link_kind kind, bool from_context, uint64_t id, uint64_t other);
std::string links_prefix(link_kind kind, bool from_context, uint64_t id);
uint64_t other_of(std::string_view event_or_link_key); // its last 8 bytes

// Unique names.
std::string name_key(node_kind kind, uint64_t type, std::string_view name);
std::string external_id_key(node_kind kind, std::string_view external_id);

// Indexes end with the id of the node. Two values may have one key: what is found is checked.
std::string type_index(node_kind kind, uint64_t type);
std::string update_index(node_kind kind);
std::string update_index(node_kind kind, uint64_t sequence);
std::string uri_index(std::string_view uri);
std::string hash_index(std::string_view hash);
std::string fingerprint_index(std::string_view fingerprint);
std::string property_index(node_kind kind, bool custom, std::string_view name);
// In the order of the values of one kind; empty where values of this kind are not in the index.
std::string property_index(node_kind kind, bool custom, std::string_view name,
                           const property_value& value);

// Of every index, sorted.
std::vector<std::string> index_keys(const node& x);

std::string subscription_key(std::string_view name);
std::string subscriptions_prefix();
std::string claim_key(std::string_view consumer, uint64_t artifact, uint64_t version);
std::string claims_prefix(std::string_view consumer);

std::string change_key(uint64_t sequence);
std::string changes_prefix();
uint64_t sequence_of_change(std::string_view key);

} // namespace troupe::storage
