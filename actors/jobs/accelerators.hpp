// The accelerators of this machine, as NVIDIA's management library (NVML) shows them.
//
// The library comes with the driver and is loaded when it is asked for, so nothing of it is needed
// to build, and a machine without it has none. Its numbers are CUDA's with
// CUDA_DEVICE_ORDER=PCI_BUS_ID.
// Threads: one at a time.
#pragma once

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
  double share = 0;    // as accelerators in use: 1.5 of two
  uint64_t memory = 0; // bytes that are in use
};

class accelerator_meter {
public:
  // Null: the library, or one of these names, is not there.
  static std::unique_ptr<accelerator_meter> open(const std::vector<std::string>& names,
                                                 const char* library = nvml_library);
  virtual ~accelerator_meter() = default;
  virtual std::optional<accelerator_usage> measure() const = 0;
};

} // namespace troupe
