// The values of the metadata store: sealed records. Grammar: formats.md.
// Threads: plain functions. Errors of the readers: errc::corrupt, errc::invalid (written by a newer
// version).
#pragma once

#include "storage/metadata/node.hpp"
#include "storage/metadata/subscription.hpp"

#include <string_view>
#include <vector>

namespace troupe::storage {

// The last number given of each kind.
struct metadata_counters {
  uint64_t sequence = 0;
  uint64_t artifacts = 0;
  uint64_t executions = 0;
  uint64_t contexts = 0;
  uint64_t types = 0;
  uint64_t time_ns = 0; // of the last change

  uint64_t& of(node_kind x) noexcept;

  friend bool operator==(const metadata_counters&, const metadata_counters&) = default;
};

enum class change_kind : uint8_t { created = 1, updated = 2, linked = 3 };

// One node that a sequence number changed. `linked`: it was put in a context, and is as it was.
struct node_change {
  change_kind what = change_kind::created;
  node_kind kind = node_kind::artifact;
  uint64_t id = 0;
  uint64_t type = 0;
  uint64_t version = 0;

  friend bool operator==(const node_change&, const node_change&) = default;
};

struct change_record {
  uint64_t time_ns = 0;
  std::vector<node_change> nodes;

  friend bool operator==(const change_record&, const change_record&) = default;
};

std::string encode(std::string_view key, const node& x);
std::string encode(std::string_view key, const node_type& x);
std::string encode(std::string_view key, const event& x);
std::string encode(std::string_view key, const link& x);
std::string encode(std::string_view key, const change_record& x);
std::string encode(std::string_view key, const metadata_counters& x);
std::string encode(std::string_view key, const subscription& x);
std::string encode(std::string_view key, const claim& x);
std::string encode_id(std::string_view key, uint64_t id);

result<node> read_node(std::string_view key, std::string_view value);
result<node_type> read_type(std::string_view key, std::string_view value);
result<event> read_event(std::string_view key, std::string_view value);
result<link> read_link(std::string_view key, std::string_view value);
result<change_record> read_change(std::string_view key, std::string_view value);
result<metadata_counters> read_counters(std::string_view key, std::string_view value);
result<subscription> read_subscription(std::string_view key, std::string_view value);
result<claim> read_claim(std::string_view key, std::string_view value);
result<uint64_t> read_id(std::string_view key, std::string_view value);

} // namespace troupe::storage
