// The changes of the cluster that an operator looks for, as lines in the log of the master.
#pragma once

#include "runtime/protocol/messages.hpp"

namespace troupe {

// Nodes that come, drain and are lost; jobs that change their state.
void log_change(const cluster_event_msg& record);

} // namespace troupe
