// What this machine has.
#pragma once

#include "launcher/commands.hpp"

namespace troupe::launcher {

// Cores that this process may use, and the machine's memory, as hwloc finds them.
node_capacity machine_capacity();

// The address of this machine from which "HOST:PORT" is reached.
result<std::string> address_towards(const std::string& endpoint);

} // namespace troupe::launcher
