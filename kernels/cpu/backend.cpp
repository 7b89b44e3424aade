#include "kernels/cpu/cpu.hpp"

namespace troupe::kernels::cpu {

namespace {

class cpu_backend final : public backend {
public:
  using backend::backend;

  std::string_view name() const override { return "cpu"; }

  void update(const optimiser_options& options, const optimiser_step& step, view gradients,
              mutable_view first_state, mutable_view second_state,
              mutable_view parameters) const override {
    cpu::update(options, step, gradients, first_state, second_state, parameters);
  }

private:
  made_op make_conv2d(op_shapes shapes, const conv2d_options& options) const override {
    return cpu::make_conv2d(std::move(shapes), options);
  }
  made_op make_max_pool2d(op_shapes shapes, const pool2d_options& options) const override {
    return cpu::make_max_pool2d(std::move(shapes), options);
  }
  made_op make_avg_pool2d(op_shapes shapes, const pool2d_options& options) const override {
    return cpu::make_avg_pool2d(std::move(shapes), options);
  }
  made_op make_dense(op_shapes shapes, const dense_options& options) const override {
    return cpu::make_dense(std::move(shapes), options);
  }
  made_op make_activation(op_shapes shapes, activation how) const override {
    return cpu::make_activation(std::move(shapes), how);
  }
  made_op make_batch_norm(op_shapes shapes, const batch_norm_options& options) const override {
    return cpu::make_batch_norm(std::move(shapes), options);
  }
  made_op make_layer_norm(op_shapes shapes, const layer_norm_options& options) const override {
    return cpu::make_layer_norm(std::move(shapes), options);
  }
  made_op make_dropout(op_shapes shapes, float rate) const override {
    return cpu::make_dropout(std::move(shapes), rate);
  }
  made_op make_embedding(op_shapes shapes, const embedding_options& options) const override {
    return cpu::make_embedding(std::move(shapes), options);
  }
  made_op make_lstm(op_shapes shapes, const recurrent_options& options) const override {
    return cpu::make_lstm(std::move(shapes), options, products());
  }
  made_op make_gru(op_shapes shapes, const recurrent_options& options) const override {
    return cpu::make_gru(std::move(shapes), options, products());
  }
  made_loss make_softmax_cross_entropy(loss_shapes shapes) const override {
    return cpu::make_softmax_cross_entropy(std::move(shapes));
  }
  made_loss make_mean_squared_error(loss_shapes shapes) const override {
    return cpu::make_mean_squared_error(std::move(shapes));
  }
  made_loss make_binary_cross_entropy(loss_shapes shapes) const override {
    return cpu::make_binary_cross_entropy(std::move(shapes));
  }
};

} // namespace

std::unique_ptr<backend> make_backend(precision products) {
  return std::make_unique<cpu_backend>(products);
}

} // namespace troupe::kernels::cpu
