// The accelerators of this machine, as NVIDIA's management library (NVML) shows them.
//
// The library comes with the driver and is loaded when it is asked for, so nothing of it is needed
// to build, and a machine without it has none. Its numbers are CUDA's with
// CUDA_DEVICE_ORDER=PCI_BUS_ID.
// Threads: a driver may take seconds to answer, or not answer at all when a device is lost, so that
// a meter asks in a thread of its own, which nobody waits for.
#pragma once

#include "runtime/base/clock.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

inline constexpr auto nvml_library = "libnvidia-ml.so.1";

struct accelerator {
  std::string name;   // as CUDA_VISIBLE_DEVICES has it: a number, or a UUID
  std::string device; // its file, such as /dev/nvidia0; empty: not known
};

// All of the machine, or those that `visible` names: what this process has as CUDA_VISIBLE_DEVICES.
std::vector<accelerator> machine_accelerators(const std::optional<std::string>& visible,
                                              const char* library = nvml_library);

// Of some of them together.
struct accelerator_usage {
  std::optional<double> share; // as accelerators in use: 1.5 of two; none: one does not tell
  uint64_t memory = 0;         // bytes that are in use
};

class accelerator_meter {
public:
  accelerator_meter(std::vector<std::string> names, duration every,
                    const char* library = nvml_library);
  ~accelerator_meter();
  accelerator_meter(const accelerator_meter&) = delete;
  accelerator_meter& operator=(const accelerator_meter&) = delete;

  // What was measured since it was last asked for; nothing where the library, or one of the names,
  // is not there.
  std::optional<accelerator_usage> newest();

private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

} // namespace troupe
