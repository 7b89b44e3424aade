// Whether new events close a circle: nothing is made of itself.
// Threads: a plain function.
#pragma once

#include "storage/metadata/layer.hpp"
#include "storage/metadata/node.hpp"

#include <functional>

namespace troupe::storage {

// At most so many nodes are visited to rule a cycle out.
inline constexpr size_t cycle_search_max = 1'000'000;

// `all` holds the events, the new ones too; `fresh` says whether a node was made together with
// them, so that all it has is in all.own(). Errors: errc::invalid (a cycle, or too many nodes to
// say), and those of the store.
result<void> check_cycles(const layer& all, const std::vector<event>& added,
                          const std::function<bool(node_kind, uint64_t)>& fresh);

// The same of contexts that got parents: none is above itself.
result<void> check_parents(const layer& all, const std::vector<uint64_t>& children,
                           const std::function<bool(node_kind, uint64_t)>& fresh);

} // namespace troupe::storage
