// The reference: plain loops, written to be read. The other backends are compared with it.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels::cpu {

std::unique_ptr<op> make_conv2d(op_shapes shapes, const conv2d_options& options);
std::unique_ptr<op> make_max_pool2d(op_shapes shapes, const pool2d_options& options);
std::unique_ptr<op> make_avg_pool2d(op_shapes shapes, const pool2d_options& options);
std::unique_ptr<op> make_dense(op_shapes shapes, const dense_options& options);
std::unique_ptr<op> make_activation(op_shapes shapes, activation how);
std::unique_ptr<op> make_batch_norm(op_shapes shapes, const batch_norm_options& options);
std::unique_ptr<op> make_layer_norm(op_shapes shapes, const layer_norm_options& options);
std::unique_ptr<op> make_dropout(op_shapes shapes, float rate);
std::unique_ptr<op> make_embedding(op_shapes shapes, const embedding_options& options);
std::unique_ptr<op> make_lstm(op_shapes shapes, const recurrent_options& options,
                              precision products);
std::unique_ptr<op> make_gru(op_shapes shapes, const recurrent_options& options,
                             precision products);
std::unique_ptr<loss> make_softmax_cross_entropy(loss_shapes shapes);
std::unique_ptr<loss> make_mean_squared_error(loss_shapes shapes);
std::unique_ptr<loss> make_binary_cross_entropy(loss_shapes shapes);
void update(const optimiser_options& options, const optimiser_step& step, view gradients,
            mutable_view first_state, mutable_view second_state, mutable_view parameters);

std::unique_ptr<backend> make_backend(precision products = precision::f32);

} // namespace troupe::kernels::cpu
