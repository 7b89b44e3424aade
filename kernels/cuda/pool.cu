#include "kernels/cuda/grid.cuh"
#include "kernels/cuda/launch.hpp"

namespace troupe::cuda {
namespace {

struct place {
  size_t plane;
  int row, column;
};

__device__ place place_of(size_t index, int height, int width) {
  auto within = static_cast<int>(index % (size_t(height) * width));
  return {index / (size_t(height) * width), within / width, within % width};
}

// The windows that an input lies in: their first and last row, or column.
__device__ int first_window(int at, const pool_extents& of) {
  return at < of.kernel ? 0 : (at - of.kernel) / of.stride + 1;
}
__device__ int last_window(int at, int windows, const pool_extents& of) {
  return min(at / of.stride, windows - 1);
}

// term(output) of each window that an input lies in, summed in the order of the outputs.
template <class F>
__device__ float sum_windows(const pool_extents& of, const place& at, F term) {
  float sum = 0;
  for (int y = first_window(at.row, of); y <= last_window(at.row, of.out_height, of); ++y)
    for (int x = first_window(at.column, of); x <= last_window(at.column, of.out_width, of); ++x)
      sum += term((at.plane * of.out_height + y) * of.out_width + x);
  return sum;
}

size_t outputs(const pool_extents& of) {
  return of.planes * of.out_height * of.out_width;
}
size_t inputs(const pool_extents& of) {
  return of.planes * of.in_height * of.in_width;
}

} // namespace

void max_pool(cudaStream_t stream, const pool_extents& of, const float* input, float* output,
              int* winners) {
  for_each(stream, outputs(of), [=] __device__(size_t i) {
    auto at = place_of(i, of.out_height, of.out_width);
    auto* plane = input + at.plane * of.in_height * of.in_width;
    auto corner = at.row * of.stride * of.in_width + at.column * of.stride;
    auto winner = corner;
    for (int y = 0; y < of.kernel; ++y)
      for (int x = 0; x < of.kernel; ++x)
        if (plane[corner + y * of.in_width + x] > plane[winner])
          winner = corner + y * of.in_width + x;
    winners[i] = winner;
    output[i] = plane[winner];
  });
}

void max_pool_backward(cudaStream_t stream, const pool_extents& of, const int* winners,
                       const float* output_gradient, float* input_gradient) {
  for_each(stream, inputs(of), [=] __device__(size_t i) {
    auto at = place_of(i, of.in_height, of.in_width);
    auto own = at.row * of.in_width + at.column;
    input_gradient[i] = sum_windows(
      of, at, [&](size_t window) { return winners[window] == own ? output_gradient[window] : 0; });
  });
}

void avg_pool(cudaStream_t stream, const pool_extents& of, const float* input, float* output) {
  for_each(stream, outputs(of), [=] __device__(size_t i) {
    auto at = place_of(i, of.out_height, of.out_width);
    auto* corner = input + (at.plane * of.in_height + at.row * of.stride) * of.in_width
                   + at.column * of.stride;
    float sum = 0;
    for (int y = 0; y < of.kernel; ++y)
      for (int x = 0; x < of.kernel; ++x)
        sum += corner[y * of.in_width + x];
    output[i] = sum / static_cast<float>(of.kernel * of.kernel);
  });
}

void avg_pool_backward(cudaStream_t stream, const pool_extents& of, const float* output_gradient,
                       float* input_gradient) {
  for_each(stream, inputs(of), [=] __device__(size_t i) {
    auto at = place_of(i, of.in_height, of.in_width);
    auto sum = sum_windows(of, at, [&](size_t window) { return output_gradient[window]; });
    input_gradient[i] = sum / static_cast<float>(of.kernel * of.kernel);
  });
}

} // namespace troupe::cuda
