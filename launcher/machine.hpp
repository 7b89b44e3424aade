// What this machine has, and how it is told to a node.
#pragma once

#include "launcher/commands.hpp"
#include "runtime/base/clock.hpp"

namespace troupe::launcher {

// Cores that this process may use, and the machine's memory, as hwloc finds them.
node_capacity machine_capacity();

// Whether tasks of this process may have images (task_image.hpp).
bool can_enter_images();

// The options of `troupe node` that say this; what is not told is left out.
std::vector<std::string> words_of(const node_capacity& told);
void add_heartbeat(std::vector<std::string>& command, const std::string& told);

// How often master and nodes hear of each other; empty: the default. errc::invalid: no time, or one
// that is too short or too long.
result<duration> heartbeat_of(const std::string& told);

// The IPv4 address that a name stands for; one that is given stays.
result<std::string> address_of(const std::string& host);

// The address of this machine from which "HOST:PORT" is reached.
result<std::string> address_towards(const std::string& endpoint);

} // namespace troupe::launcher
