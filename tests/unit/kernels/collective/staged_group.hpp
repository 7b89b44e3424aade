// A group over GPUs for rows in this process: it copies them to the device, calls, and copies back.
// What is an overlap here is one there; what lies in memory of allocate() lies in memory of the
// group's allocate() there.
#pragma once

#include "kernels/collective/collective.hpp"
#include "kernels/cuda/plugin.hpp"

namespace troupe::collective::test {

struct on_device {
  std::unique_ptr<cuda::plugin> plugin;
  std::unique_ptr<cuda::device> device;
  std::unique_ptr<group> over;
  std::unique_ptr<group> ranks;
};

std::unique_ptr<group> make_staged(on_device parts);

} // namespace troupe::collective::test
