// The kernels of our own, by what they do: each gives its work to a stream and returns at once.
// cudaGetLastError() says whether they could be started.
//
// All arrays lie on the device; sizes are in elements. Guarantees: the same calls give the same
// bits, for every sum is made in a fixed order. Threads: any.
#pragma once

#include "kernels/collective/element.hpp"
#include "kernels/op.hpp"

#include <cuda_runtime.h>

namespace troupe::cuda {

using kernels::activation;

// f32, bf16 and f16, of one length.
void cast(cudaStream_t stream, collective::output to, collective::input from);

// y += x.
void add(cudaStream_t stream, size_t size, const float* x, float* y);

// data[r][c][i] += bias[c], and then max(x, 0) if wanted. `inner` elements lie together.
void add_bias(cudaStream_t stream, size_t rows, size_t columns, size_t inner, const float* bias,
              bool relu, float* data);

// to[c] = the sum of data[r][c][i] over r and i. `terms` has room for column_parts doubles for each
// column, or is null where `inner` is 1.
inline constexpr unsigned column_parts = 16;
void sum_columns(cudaStream_t stream, size_t rows, size_t columns, size_t inner, const float* data,
                 double* terms, float* to);

// to[i] = gradient[i] where output[i] > 0, else 0.
void relu_backward(cudaStream_t stream, size_t size, const float* output, const float* gradient,
                   float* to);

void activate(cudaStream_t stream, activation how, size_t size, const float* input, float* output);
void activate_backward(cudaStream_t stream, activation how, size_t size, const float* input,
                       const float* output_gradient, float* input_gradient);

// One pass over all arrays; the states that are not needed are null.
void update(cudaStream_t stream, const kernels::optimiser_options& options,
            const kernels::optimiser_step& step, size_t size, const float* gradients, float* first,
            float* second, float* parameters);

// output[i] = input[i], or 0 with that probability and else divided by what remains: the CPU's
// choice for the same seed.
void dropout(cudaStream_t stream, size_t size, float rate, uint64_t seed, const float* input,
             float* output);

// Windows over images, of which there are `planes`.
struct pool_extents {
  size_t planes;
  int in_height, in_width, out_height, out_width, kernel, stride;
};

// `winners` gets the input, within its plane, that became each output: of equal ones the first.
void max_pool(cudaStream_t stream, const pool_extents& of, const float* input, float* output,
              int* winners);
void max_pool_backward(cudaStream_t stream, const pool_extents& of, const int* winners,
                       const float* output_gradient, float* input_gradient);
void avg_pool(cudaStream_t stream, const pool_extents& of, const float* input, float* output);
void avg_pool_backward(cudaStream_t stream, const pool_extents& of, const float* output_gradient,
                       float* input_gradient);

// What a loss leaves on the device.
struct loss_result {
  double sum = 0;
  int bad_row = -1; // the last one whose label is no class
};

// Rows {rows, classes}; a row's loss, and its gradient, are divided by `per_row`. `terms` has room
// for a double for each row.
void softmax_cross_entropy(cudaStream_t stream, size_t rows, size_t classes, size_t per_row,
                           float scale, const float* logits, const float* labels, float* gradient,
                           double* terms, loss_result* result);

// Of single elements. `terms` has room for element_terms doubles.
inline constexpr size_t element_terms = 256;
void mean_squared_error(cudaStream_t stream, size_t size, size_t per_row, float scale,
                        const float* outputs, const float* targets, float* gradient, double* terms,
                        loss_result* result);
void binary_cross_entropy(cudaStream_t stream, size_t size, size_t per_row, float scale,
                          const float* logits, const float* targets, float* gradient, double* terms,
                          loss_result* result);

// Of single elements, too.
void sum_of_squares(cudaStream_t stream, size_t size, const float* x, double* terms,
                    loss_result* result);

} // namespace troupe::cuda
