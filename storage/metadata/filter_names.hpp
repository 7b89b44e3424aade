// What a name of a filter reads, and of which sort its value is.
// Threads: plain functions.
#pragma once

#include "storage/metadata/filter.hpp"

namespace troupe::storage {

// `any` is a property's whose kind the name does not tell.
enum class filter_sort : uint8_t {
  number,
  text,
  boolean,
  artifact_state,
  execution_state,
  event_kind,
  any
};

struct filter_name {
  filter_node node;
  filter_sort sort = filter_sort::any;
};

// A name of dotted parts ("contexts_a", "name") in a filter on nodes of that kind. The error is
// what is wrong with it, without a place.
result<filter_name> resolve_name(node_kind kind, const std::vector<std::string>& parts);

} // namespace troupe::storage
