// Loops and sums over arrays, for kernels.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>

namespace troupe::cuda {

inline constexpr unsigned block_threads = 256;

// Enough blocks for all elements, or for several rounds of the largest device.
inline unsigned blocks_for(size_t size) {
  constexpr size_t most = 2048;
  return static_cast<unsigned>(
    std::clamp<size_t>((size + block_threads - 1) / block_threads, 1, most));
}

template <class F>
__global__ void each_kernel(size_t size, F work) {
  auto step = size_t{gridDim.x} * blockDim.x;
  for (auto i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < size; i += step)
    work(i);
}

// work(i) for each i below size.
template <class F>
void for_each(cudaStream_t stream, size_t size, F work) {
  if (size > 0)
    each_kernel<<<blocks_for(size), block_threads, 0, stream>>>(size, work);
}

// The sum over the threads of a warp, on all of them.
template <class T>
__device__ T warp_sum(T x) {
  for (int distance = 16; distance > 0; distance /= 2)
    x += __shfl_xor_sync(0xffffffffu, x, distance);
  return x;
}

// The sum over the threads of a block, on all of them; each thread calls it.
template <class T>
__device__ T block_sum(T x) {
  __shared__ T parts[32];
  x = warp_sum(x);
  __syncthreads(); // the parts of an earlier call have been read
  if (threadIdx.x % 32 == 0)
    parts[threadIdx.x / 32] = x;
  __syncthreads();
  T sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp)
    sum += parts[warp];
  return sum;
}

} // namespace troupe::cuda
