// What one transaction of the metadata store writes: nodes, events between them, links of
// contexts, and types. It is written whole or not at all.
// Threads: plain values.
#pragma once

#include "storage/metadata/records.hpp"
#include "storage/metadata/subscription.hpp"
#include "storage/metadata/type_catalog.hpp"
#include "storage/store.hpp"

#include <optional>

namespace troupe::storage {

// A node of the store by its id, or one of the same change set by its index in `nodes`.
struct node_ref {
  uint64_t id = 0;
  size_t index = 0; // where `id` is 0

  static node_ref stored(uint64_t id) { return {id, 0}; }
  static node_ref put(size_t index) { return {0, index}; }
};

// What to do where a node of the same external id, or of the same type and name, is there.
enum class on_existing : uint8_t { refuse, keep, update };

// A node to add (`what.id` is 0) or to change. A change replaces all that the node says, also by
// nothing; with a mask only what the mask names: "name" (of a context), "state", "uri", "hash",
// "external_id", "fingerprint", "properties", "custom_properties", "properties.NAME",
// "custom_properties.NAME". A name of another kind of node never changes. A mask of names that
// there are not changes nothing.
struct node_put {
  node what;
  std::string type_name{}; // of a type without a version, where `what.type` is 0
  on_existing existing = on_existing::refuse;
  std::vector<std::string> mask{};
  uint64_t if_version = 0; // the version that it has to have; 0: any
};

struct event_put {
  node_ref execution;
  node_ref artifact;
  event_type type = event_type::input;
  std::vector<path_step> path{};
  uint64_t time_ns = 0; // since 1970; 0: now
};

struct link_put {
  link_kind kind = link_kind::attribution;
  node_ref context;
  node_ref other; // of a parent link: the parent
};

// Types are put before nodes, nodes in their order before events and links, and these before
// subscriptions and claims, which have no sequence number and are no changes. Attributions and
// associations that are there are left as they are; an event or a parent link that is there is
// errc::already_exists.
struct change_set {
  std::vector<node_type> types{};
  type_evolution evolution{};
  std::vector<node_put> nodes{};
  std::vector<event_put> events{};
  std::vector<link_put> links{};
  bool keep_events = false; // an event that is there is left as it is
  bool clamp_times = false; // a time ahead of the store's clock is now, and not refused
  std::vector<subscription_put> subscriptions{};
  std::vector<claim_put> claims{}; // to the versions that there are after the rest of the set
  batch beside{};                  // keys of another part of the store, in the same write
};

// What a change set became.
struct receipt {
  uint64_t sequence = 0; // of the change; of the last one where nothing changed
  std::vector<uint64_t> types{};
  std::vector<uint64_t> ids{};      // of `nodes`, in their order
  std::vector<uint64_t> versions{}; // the same
  std::vector<claim> claims{};      // of `claims`, as they are now
};

} // namespace troupe::storage
