#include "kernels/cuda/grid.cuh"
#include "kernels/cuda/launch.hpp"
#include "kernels/philox.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>

namespace troupe::cuda {
namespace {

using collective::element;

__device__ float widen(float x) {
  return x;
}
__device__ float widen(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
__device__ float widen(__half x) {
  return __half2float(x);
}

__device__ void narrow(float x, float& to) {
  to = x;
}
__device__ void narrow(float x, __nv_bfloat16& to) {
  to = __float2bfloat16_rn(x);
}
__device__ void narrow(float x, __half& to) {
  to = __float2half_rn(x);
}

template <class To, class From>
void cast_all(cudaStream_t stream, size_t size, void* to, const void* from) {
  auto* out = static_cast<To*>(to);
  auto* in = static_cast<const From*>(from);
  for_each(stream, size, [=] __device__(size_t i) { narrow(widen(in[i]), out[i]); });
}

template <class From>
void cast_from(cudaStream_t stream, collective::output to, const void* from) {
  if (to.type == element::f32)
    cast_all<float, From>(stream, to.count, to.data, from);
  else if (to.type == element::bf16)
    cast_all<__nv_bfloat16, From>(stream, to.count, to.data, from);
  else
    cast_all<__half, From>(stream, to.count, to.data, from);
}

__device__ float value(activation how, float x) {
  switch (how) {
  case activation::relu:
    return x > 0 ? x : 0;
  case activation::tanh:
    return tanhf(x);
  case activation::sigmoid:
    return 1 / (1 + expf(-x));
  case activation::gelu:
    return x * normcdff(x);
  }
  return x;
}

__device__ float slope(activation how, float x) {
  auto y = value(how, x);
  switch (how) {
  case activation::relu:
    return x > 0 ? 1 : 0;
  case activation::tanh:
    return 1 - y * y;
  case activation::sigmoid:
    return y * (1 - y);
  case activation::gelu: // the normal distribution and its density
    return normcdff(x) + x * expf(-x * x / 2) * 0.3989422804014327F;
  }
  return 1;
}

// A block for each column and part of its rows.
__global__ void columns_kernel(size_t rows, size_t columns, size_t inner, const float* data,
                               double* terms) {
  auto column = size_t{blockIdx.x};
  double sum = 0;
  for (size_t r = blockIdx.y; r < rows; r += gridDim.y)
    for (size_t i = threadIdx.x; i < inner; i += blockDim.x)
      sum += data[(r * columns + column) * inner + i];
  sum = block_sum(sum);
  if (threadIdx.x == 0)
    terms[column * gridDim.y + blockIdx.y] = sum;
}

// Where elements of a column lie far apart: neighbours take neighbouring columns.
__global__ void narrow_columns_kernel(size_t rows, size_t columns, const float* data, float* to) {
  __shared__ double parts[8][33];
  auto column = size_t{blockIdx.x} * 32 + threadIdx.x;
  double sum = 0;
  if (column < columns)
    for (size_t r = threadIdx.y; r < rows; r += 8)
      sum += data[r * columns + column];
  parts[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns)
    return;
  for (int other = 1; other < 8; ++other)
    sum += parts[other][threadIdx.x];
  to[column] = static_cast<float>(sum);
}

} // namespace

void cast(cudaStream_t stream, collective::output to, collective::input from) {
  if (from.type == element::f32)
    cast_from<float>(stream, to, from.data);
  else if (from.type == element::bf16)
    cast_from<__nv_bfloat16>(stream, to, from.data);
  else
    cast_from<__half>(stream, to, from.data);
}

void add(cudaStream_t stream, size_t size, const float* x, float* y) {
  for_each(stream, size, [=] __device__(size_t i) { y[i] += x[i]; });
}

void add_bias(cudaStream_t stream, size_t rows, size_t columns, size_t inner, const float* bias,
              bool relu, float* data) {
  for_each(stream, rows * columns * inner, [=] __device__(size_t i) {
    auto x = data[i] + bias[i / inner % columns];
    data[i] = relu && !(x > 0) ? 0 : x;
  });
}

void sum_columns(cudaStream_t stream, size_t rows, size_t columns, size_t inner, const float* data,
                 double* terms, float* to) {
  if (inner == 1) {
    narrow_columns_kernel<<<static_cast<unsigned>((columns + 31) / 32), dim3(32, 8), 0, stream>>>(
      rows, columns, data, to);
    return;
  }
  columns_kernel<<<dim3(static_cast<unsigned>(columns), column_parts), block_threads, 0, stream>>>(
    rows, columns, inner, data, terms);
  for_each(stream, columns, [=] __device__(size_t column) {
    double sum = 0;
    for (unsigned part = 0; part < column_parts; ++part)
      sum += terms[column * column_parts + part];
    to[column] = static_cast<float>(sum);
  });
}

void relu_backward(cudaStream_t stream, size_t size, const float* output, const float* gradient,
                   float* to) {
  for_each(stream, size, [=] __device__(size_t i) { to[i] = output[i] > 0 ? gradient[i] : 0; });
}

void dropout(cudaStream_t stream, size_t size, float rate, uint64_t seed, const float* input,
             float* output) {
  auto bound = kernels::dropout_bound(rate);
  auto factor = 1 / (1 - rate);
  // A thread for each block of random numbers.
  for_each(stream, (size + 3) / 4, [=] __device__(size_t block) {
    auto numbers = kernels::philox(seed, block);
    for (auto i = block * 4; i < size && i < block * 4 + 4; ++i)
      output[i] = numbers[i % 4] < bound ? 0 : input[i] * factor;
  });
}

void activate(cudaStream_t stream, activation how, size_t size, const float* input, float* output) {
  for_each(stream, size, [=] __device__(size_t i) { output[i] = value(how, input[i]); });
}

void activate_backward(cudaStream_t stream, activation how, size_t size, const float* input,
                       const float* output_gradient, float* input_gradient) {
  for_each(stream, size, [=] __device__(size_t i) {
    input_gradient[i] = slope(how, input[i]) * output_gradient[i];
  });
}

} // namespace troupe::cuda
