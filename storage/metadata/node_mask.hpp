// What a put makes of a node that is there: see node_put.
// Threads: a plain function.
#pragma once

#include "storage/metadata/change_set.hpp"

namespace troupe::storage {

// Errors: errc::invalid (another type, another name), errc::refused (another version than the put
// expects).
result<node> changed_node(const node& stored, const node_put& put);

} // namespace troupe::storage
