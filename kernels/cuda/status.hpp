// What CUDA says, as a result.
#pragma once

#include "runtime/base/result.hpp"

#include <cuda_runtime.h>

namespace troupe::cuda {

// `what` continues "the GPU failed to".
inline result<void> check(cudaError_t code, const std::string& what) {
  if (code == cudaSuccess)
    return {};
  cudaGetLastError(); // or the next kernel that starts would be told it, too
  auto text = "the GPU failed to " + what + ": " + cudaGetErrorString(code);
  if (code == cudaErrorMemoryAllocation)
    return {errc::unavailable, text + "; use smaller batches, or end what else runs on it."};
  if (code == cudaErrorNoDevice || code == cudaErrorInsufficientDriver
      || code == cudaErrorInvalidDevice)
    return {errc::unavailable,
            text + "; check with nvidia-smi that the device and its driver work."};
  return {errc::internal, text + "; this process cannot use the device any more: start it again."};
}

} // namespace troupe::cuda
