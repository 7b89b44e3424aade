#include "launcher/machine.hpp"

#include <hwloc.h>

namespace troupe::launcher {

node_capacity machine_capacity() {
  node_capacity found{1, 0, 0};
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0)
    return found;
  if (hwloc_topology_load(topology) == 0) {
    auto cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    found.cpus = cores > 0 ? static_cast<uint32_t>(cores) : 1;
    if (auto* machine = hwloc_get_root_obj(topology))
      found.memory = machine->total_memory;
  }
  hwloc_topology_destroy(topology);
  return found;
}

} // namespace troupe::launcher
