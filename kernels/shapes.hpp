// The shapes of each operator's result and parameters, checked: the same for all backends.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels {

// Errors, all: invalid, naming the shape that makes no sense.
result<op_shapes> conv2d_shapes(const shape& input, const conv2d_options& options);
result<op_shapes> max_pool2d_shapes(const shape& input, const max_pool2d_options& options);
result<op_shapes> dense_shapes(const shape& input, size_t features);
result<op_shapes> relu_shapes(const shape& input);
result<void> check_logits(const shape& logits);

} // namespace troupe::kernels
