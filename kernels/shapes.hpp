// The shapes of each operator's result and parameters, checked: the same for all backends.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels {

// Errors, all: invalid, naming the shape or option that makes no sense.
result<op_shapes> conv2d_shapes(const shape& input, const conv2d_options& options);
result<op_shapes> pool2d_shapes(const shape& input, const pool2d_options& options);
result<op_shapes> dense_shapes(const shape& input, const dense_options& options);
result<op_shapes> activation_shapes(const shape& input);
result<op_shapes> batch_norm_shapes(const shape& input, const batch_norm_options& options);
result<op_shapes> layer_norm_shapes(const shape& input, const layer_norm_options& options);
result<op_shapes> dropout_shapes(const shape& input, float rate);
result<op_shapes> embedding_shapes(const shape& input, const embedding_options& options);
result<op_shapes> recurrent_shapes(const shape& input, const recurrent_options& options,
                                   size_t gates);

// A class for each row, and a number for each element.
result<loss_shapes> label_shapes(const shape& outputs);
result<loss_shapes> element_shapes(const shape& outputs);

// Whole numbers from 0 to below `bound`: what an array of ids must hold, checked on each run.
result<void> check_ids(const char* what, view ids, size_t bound);

} // namespace troupe::kernels
