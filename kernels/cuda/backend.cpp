#include "kernels/cpu/cpu.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/session.hpp"
#include "kernels/optimiser_rules.hpp"

namespace troupe::cuda {
namespace {

using namespace kernels;

class cuda_backend final : public backend {
public:
  cuda_backend(precision products, cuda::device& where, shared_session on)
    : backend(products, where), on_(std::move(on)) {}

  std::string_view name() const override { return "cuda"; }

  void update(const optimiser_options& options, const optimiser_step& step, view gradients,
              mutable_view first_state, mutable_view second_state,
              mutable_view parameters) const override {
    assert_sizes(options, gradients, first_state, second_state, parameters);
    // A device that is lost tells it at the next op.
    if (!on_->take())
      return;
    cuda::update(on_->stream(), options, step, parameters.size(), gradients.data(),
                 first_state.data(), second_state.data(), parameters.data());
  }

private:
  using kernels::backend::made_loss;
  using kernels::backend::made_op;

  made_op make_conv2d(op_shapes shapes, const conv2d_options& options) const override {
    return cuda::make_conv2d(on_, std::move(shapes), options);
  }
  made_op make_max_pool2d(op_shapes shapes, const pool2d_options& options) const override {
    return cuda::make_max_pool2d(on_, std::move(shapes), options);
  }
  made_op make_avg_pool2d(op_shapes shapes, const pool2d_options& options) const override {
    return cuda::make_avg_pool2d(on_, std::move(shapes), options);
  }
  made_op make_dense(op_shapes shapes, const dense_options& options) const override {
    return cuda::make_dense(on_, std::move(shapes), options);
  }
  made_op make_activation(op_shapes shapes, activation how) const override {
    return cuda::make_activation(on_, std::move(shapes), how);
  }
  made_op make_batch_norm(op_shapes shapes, const batch_norm_options& options) const override {
    return on_cpu(on_, cpu::make_batch_norm(std::move(shapes), options));
  }
  made_op make_layer_norm(op_shapes shapes, const layer_norm_options& options) const override {
    return on_cpu(on_, cpu::make_layer_norm(std::move(shapes), options));
  }
  made_op make_dropout(op_shapes shapes, float rate) const override {
    return cuda::make_dropout(on_, std::move(shapes), rate);
  }
  made_op make_embedding(op_shapes shapes, const embedding_options& options) const override {
    return on_cpu(on_, cpu::make_embedding(std::move(shapes), options));
  }
  made_op make_lstm(op_shapes shapes, const recurrent_options& options) const override {
    return on_cpu(on_, cpu::make_lstm(std::move(shapes), options, precision::f32));
  }
  made_op make_gru(op_shapes shapes, const recurrent_options& options) const override {
    return on_cpu(on_, cpu::make_gru(std::move(shapes), options, precision::f32));
  }
  made_loss make_softmax_cross_entropy(loss_shapes shapes) const override {
    return make_loss(on_, std::move(shapes), loss_kind::softmax_cross_entropy);
  }
  made_loss make_mean_squared_error(loss_shapes shapes) const override {
    return make_loss(on_, std::move(shapes), loss_kind::mean_squared_error);
  }
  made_loss make_binary_cross_entropy(loss_shapes shapes) const override {
    return make_loss(on_, std::move(shapes), loss_kind::binary_cross_entropy);
  }

  shared_session on_;
};

} // namespace

result<std::unique_ptr<kernels::backend>> make_backend(device& where, cudaStream_t stream,
                                                       precision products) {
  if (products != precision::f32)
    return {errc::unavailable, "products on a GPU are of f32 only: use the CPU for bf16 and f16."};
  auto on = std::make_shared<session>(where.number(), stream);
  TROUPE_TRY(on->open());
  return std::unique_ptr<backend>(std::make_unique<cuda_backend>(products, where, std::move(on)));
}

} // namespace troupe::cuda
