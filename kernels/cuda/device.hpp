// The inside of the plug-in: a device with its stream.
#pragma once

#include "kernels/cuda/plugin.hpp"

#include <cuda_runtime.h>

namespace troupe::cuda {

result<std::unique_ptr<device>> open_device(int number);

} // namespace troupe::cuda
