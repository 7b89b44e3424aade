// The reference: plain loops, written to be read. The other backends are compared with it.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels::cpu {

std::unique_ptr<op> make_conv2d(op_shapes shapes, const conv2d_options& options);
std::unique_ptr<op> make_max_pool2d(op_shapes shapes, const max_pool2d_options& options);
std::unique_ptr<op> make_dense(op_shapes shapes);
std::unique_ptr<op> make_relu(op_shapes shapes);
std::unique_ptr<loss> make_softmax_cross_entropy(const shape& logits);
void sgd(const sgd_options& options, view gradients, mutable_view velocity,
         mutable_view parameters);

std::unique_ptr<backend> make_backend();

} // namespace troupe::kernels::cpu
