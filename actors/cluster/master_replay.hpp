// From the event log back to the master's state: the snapshot, then what follows it.
#pragma once

#include "actors/cluster/master_core.hpp"

namespace troupe::storage {
class event_log;
} // namespace troupe::storage

namespace troupe {

// Brings a new core to the state that the log says. errc::corrupt: the log cannot be read.
result<void> replay(const storage::event_log& from, master_core& into);

} // namespace troupe
