// All types, in memory: they are few. What a new put of a known type may change are the rules of ML
// Metadata: a property never changes its kind and is never taken away; new ones are added where the
// caller says so, and left out of the request where the caller says so.
// Threads: a plain value.
// Errors: errc::invalid (malformed), errc::already_exists (it would change what is there),
// errc::not_found.
#pragma once

#include "storage/metadata/node.hpp"

#include <functional>
#include <map>

namespace troupe::storage {

struct type_evolution {
  bool may_add = false;  // properties that the stored type lacks
  bool may_omit = false; // properties that it has: they stay
};

class type_catalog {
public:
  // What is stored already; nothing is checked.
  void load(node_type x);

  // Adds a type, which gets `next_id`, or evolves the one of that kind, name and version. Gives
  // what is stored from now on; `changed` where that is not what was stored before.
  struct outcome {
    const node_type* stored = nullptr;
    bool changed = false;
  };
  result<outcome> put(node_type x, type_evolution rule, uint64_t next_id);

  // Null where there is none. A type without a version is not the newest of that name.
  const node_type* find(uint64_t id) const;
  const node_type* find(node_kind kind, std::string_view name, std::string_view version = {}) const;
  const node_type* by_external_id(node_kind kind, std::string_view external_id) const;
  // For people: the name, or the id of a type that is not known.
  std::string name_of(uint64_t id) const;

  // In the order of their ids.
  std::vector<const node_type*> all(node_kind kind) const;
  // All of that name, with any version.
  std::vector<const node_type*> named(node_kind kind, std::string_view name) const;

private:
  std::map<uint64_t, node_type> types_;
};

// Whether the properties of the node are declared by its type, and of their kinds: errc::invalid.
result<void> check_against(const node& x, const node_type& type);

} // namespace troupe::storage
