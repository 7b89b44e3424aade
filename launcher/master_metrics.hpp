// What a master has to tell a monitoring system, beside its links (runtime/metrics.hpp).
#pragma once

#include "runtime/metrics.hpp"
#include "runtime/protocol/messages.hpp"

namespace troupe::launcher {

std::vector<metric_family> families_of(const cluster_status_msg& from);
std::vector<metric_family> families_of(const job_list_msg& from);

} // namespace troupe::launcher
