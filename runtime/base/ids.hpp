// Identities. Each is a type of its own, so that one is never passed for another.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace troupe {

template <class Tag>
struct id {
  uint64_t value = 0;

  explicit operator bool() const noexcept { return value != 0; }
  friend auto operator<=>(const id&, const id&) = default; // NOLINT(modernize-use-nullptr)
};

using node_id = id<struct node_tag>;     // a process of the cluster: the hash of its name
using incarnation = id<struct life_tag>; // one life of a node; ordered: a later life is greater
using job_id = id<struct job_tag>;       // counted by the master, from 1
using link_id = id<struct link_tag>;     // a connection, as seen by one transport

// A node is known by its name; two nodes of one name are the same node.
node_id node_named(std::string_view name) noexcept;

// 16 hexadecimal digits.
std::string hex(uint64_t x);

} // namespace troupe

template <class Tag>
struct std::hash<troupe::id<Tag>> {
  size_t operator()(const troupe::id<Tag>& x) const noexcept { return x.value; }
};
