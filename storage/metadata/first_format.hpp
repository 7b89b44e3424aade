// What Troupe 0.1.0 wrote, brought to the form of today (formats.md, "Versions").
// Threads: one; nobody else uses the store meanwhile.
#pragma once

#include "storage/metadata/change_set.hpp"
#include "storage/store.hpp"

namespace troupe::storage {

// Whether there is something of it.
result<bool> has_first_format(const store& in);

// Its records as change sets, in the order in which they have to be written. Writing them again is
// harmless.
result<void> read_first_format(const store& in,
                               const std::function<result<void>(change_set next)>& write);

// Each node, event and link of such a change set in one of its own, for one that is refused as a
// whole: what 0.1.0 took and this version does not.
std::vector<change_set> parts_of(const change_set& all);

// After all were written: removes them.
result<void> erase_first_format(store& in);

} // namespace troupe::storage
