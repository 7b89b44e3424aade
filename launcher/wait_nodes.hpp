// Waits for the nodes of a cluster that `up` has started.
#pragma once

#include "launcher/hosts_file.hpp"
#include "runtime/base/result.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe::launcher {

inline constexpr auto start_limit = std::chrono::seconds(20); // of a process that is started

// The nodes that are alive; nothing while no master answers.
std::optional<std::set<std::string>> alive_nodes(const std::string& directory);

// Until `count` nodes of this machine are alive. errc::internal: a process has ended;
// errc::deadline.
result<void> wait_ready(const std::string& directory, uint32_t count);

// Until `count` nodes of the allocation have joined: as long as Slurm's queue is, so there is no
// limit but the allocation's end.
result<void> wait_allocation(const std::string& directory, uint32_t count);

// Until each host's node is alive. errc::deadline says what the first that is missing said last.
result<void> wait_hosts(const std::string& directory, const std::vector<host_entry>& hosts,
                        std::chrono::seconds limit = start_limit);

} // namespace troupe::launcher
