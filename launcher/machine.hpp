// What this machine has, and how it is told to a node.
#pragma once

#include "launcher/commands.hpp"

namespace troupe::launcher {

// Cores that this process may use, and the machine's memory, as hwloc finds them.
node_capacity machine_capacity();

// The options of `troupe node` that say this; what is not told is left out.
std::vector<std::string> words_of(const node_capacity& told);

// The address of this machine from which "HOST:PORT" is reached.
result<std::string> address_towards(const std::string& endpoint);

} // namespace troupe::launcher
