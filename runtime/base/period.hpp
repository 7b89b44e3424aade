// Periods that begin at another time for each node, so that what thousands of them do once in a
// period does not come at once: after a restart of the master they all begin together.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/ids.hpp"

namespace troupe {

// Which of its periods a node is in.
inline int64_t period_of(node_id whose, time_point at, duration length) {
  auto begins = static_cast<int64_t>(whose.value % static_cast<uint64_t>(length.count()));
  return (at.time_since_epoch().count() + begins) / length.count();
}

} // namespace troupe
