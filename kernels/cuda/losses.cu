#include "kernels/cuda/grid.cuh"
#include "kernels/cuda/launch.hpp"

#include <cfloat>

namespace troupe::cuda {
namespace {

__device__ float warp_max(float x) {
  for (int distance = 16; distance > 0; distance /= 2)
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, distance));
  return x;
}

// A warp for each row: the logits are read three times, twice from the cache.
__global__ void softmax_kernel(size_t rows, int classes, float factor, double share,
                               const float* logits, const float* labels, float* gradient,
                               double* terms, loss_result* result) {
  auto row = size_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32;
  auto lane = static_cast<int>(threadIdx.x % 32);
  if (row >= rows)
    return;
  auto* x = logits + row * classes;
  auto label = labels[row];
  auto valid = label >= 0 && label < static_cast<float>(classes) && label == truncf(label);
  auto wanted = valid ? static_cast<int>(label) : 0;
  if (!valid && lane == 0)
    atomicMax(&result->bad_row, static_cast<int>(row));
  // The largest is taken off first, or exp() overflows.
  auto largest = -FLT_MAX;
  for (int c = lane; c < classes; c += 32)
    largest = fmaxf(largest, x[c]);
  largest = warp_max(largest);
  float sum = 0;
  for (int c = lane; c < classes; c += 32)
    sum += expf(x[c] - largest);
  sum = warp_sum(sum);
  if (lane == 0)
    terms[row] = (double{largest} - x[wanted] + log(double{sum})) * share;
  for (int c = lane; c < classes; c += 32)
    gradient[row * classes + c]
      = (expf(x[c] - largest) / sum - (c == wanted ? 1.0F : 0.0F)) * factor;
}

// One block: always the same order.
__global__ void total_kernel(size_t size, const double* terms, loss_result* result) {
  double sum = 0;
  for (size_t i = threadIdx.x; i < size; i += blockDim.x)
    sum += terms[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0)
    result->sum = sum;
}

struct squared_error {
  __device__ double loss(float output, float target) const {
    auto off = double{output} - target;
    return off * off;
  }
  __device__ float slope(float output, float target) const { return 2 * (output - target); }
};

struct cross_entropy {
  // -t log(p) - (1 - t) log(1 - p), arranged so that exp() does not overflow.
  __device__ double loss(float logit, float target) const {
    return fmaxf(logit, 0) - double{logit} * target + log1pf(expf(-fabsf(logit)));
  }
  __device__ float slope(float logit, float target) const {
    return 1 / (1 + expf(-logit)) - target;
  }
};

template <class Rule>
__global__ void elements_kernel(Rule rule, size_t size, float factor, double share,
                                const float* outputs, const float* targets, float* gradient,
                                double* terms) {
  double sum = 0;
  auto step = size_t{gridDim.x} * blockDim.x;
  for (auto i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < size; i += step) {
    sum += rule.loss(outputs[i], targets[i]);
    gradient[i] = rule.slope(outputs[i], targets[i]) * factor;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0)
    terms[blockIdx.x] = sum * share;
}

void clear(cudaStream_t stream, loss_result* result) {
  for_each(stream, 1, [=] __device__(size_t) { *result = loss_result{0, -1}; });
}

template <class Rule>
void elements(cudaStream_t stream, size_t size, size_t per_row, float scale, const float* outputs,
              const float* targets, float* gradient, double* terms, loss_result* result) {
  clear(stream, result);
  auto share = 1 / static_cast<double>(per_row);
  auto factor = static_cast<float>(scale * share);
  elements_kernel<<<element_terms, block_threads, 0, stream>>>(Rule{}, size, factor, share, outputs,
                                                               targets, gradient, terms);
  total_kernel<<<1, block_threads, 0, stream>>>(element_terms, terms, result);
}

__global__ void squares_kernel(size_t size, const float* x, double* terms) {
  double sum = 0;
  auto step = size_t{gridDim.x} * blockDim.x;
  for (auto i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < size; i += step)
    sum += double{x[i]} * x[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0)
    terms[blockIdx.x] = sum;
}

} // namespace

void softmax_cross_entropy(cudaStream_t stream, size_t rows, size_t classes, size_t per_row,
                           float scale, const float* logits, const float* labels, float* gradient,
                           double* terms, loss_result* result) {
  clear(stream, result);
  auto share = 1 / static_cast<double>(per_row);
  auto factor = static_cast<float>(scale * share);
  constexpr auto rows_each = block_threads / 32;
  if (rows > 0)
    softmax_kernel<<<static_cast<unsigned>((rows + rows_each - 1) / rows_each), block_threads, 0,
                     stream>>>(rows, static_cast<int>(classes), factor, share, logits, labels,
                               gradient, terms, result);
  total_kernel<<<1, block_threads, 0, stream>>>(rows, terms, result);
}

void mean_squared_error(cudaStream_t stream, size_t size, size_t per_row, float scale,
                        const float* outputs, const float* targets, float* gradient, double* terms,
                        loss_result* result) {
  elements<squared_error>(stream, size, per_row, scale, outputs, targets, gradient, terms, result);
}

void binary_cross_entropy(cudaStream_t stream, size_t size, size_t per_row, float scale,
                          const float* logits, const float* targets, float* gradient, double* terms,
                          loss_result* result) {
  elements<cross_entropy>(stream, size, per_row, scale, logits, targets, gradient, terms, result);
}

void sum_of_squares(cudaStream_t stream, size_t size, const float* x, double* terms,
                    loss_result* result) {
  clear(stream, result);
  squares_kernel<<<element_terms, block_threads, 0, stream>>>(size, x, terms);
  total_kernel<<<1, block_threads, 0, stream>>>(element_terms, terms, result);
}

} // namespace troupe::cuda
