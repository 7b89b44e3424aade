#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/session.hpp"

namespace troupe::cuda {
namespace {

// cuBLAS has its matrices by columns: ours are its transposes.
class dense final : public op {
public:
  dense(shared_session on, kernels::op_shapes shapes, bool relu)
    : op(std::move(shapes)), on_(std::move(on)), rows_(static_cast<int>(output_shape()[0])),
      outputs_(static_cast<int>(output_row())), inputs_(static_cast<int>(input_row())),
      relu_(relu) {}

private:
  result<void> multiply(cublasOperation_t left, cublasOperation_t right, int m, int n, int k,
                        const float* a, int lda, const float* b, int ldb, float* c, int ldc) {
    constexpr float one = 1;
    constexpr float zero = 0;
    return check(
      cublasSgemm(on_->blas(), left, right, m, n, k, &one, a, lda, b, ldb, &zero, c, ldc),
      "multiply matrices");
  }

  result<void> run_forward(const pass&, view input, view weights, mutable_view output) override {
    TROUPE_TRY(on_->take());
    TROUPE_TRY(multiply(CUBLAS_OP_T, CUBLAS_OP_N, outputs_, rows_, inputs_, weights.data(), inputs_,
                        input.data(), inputs_, output.data(), outputs_));
    add_bias(on_->stream(), output_shape()[0], output_row(), 1, weights.data() + offset_of(1),
             relu_.wanted(), output.data());
    TROUPE_TRY(relu_.keep(*on_, output));
    return session::started();
  }

  result<void> run_backward(view input, view weights, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    TROUPE_TRY(on_->take());
    auto gradient = relu_.backward(*on_, output_gradient);
    TROUPE_TRY(gradient);
    const auto* slope = gradient->data();
    TROUPE_TRY(multiply(CUBLAS_OP_N, CUBLAS_OP_T, inputs_, outputs_, rows_, input.data(), inputs_,
                        slope, outputs_, parameter_gradient.data(), inputs_));
    sum_columns(on_->stream(), output_shape()[0], output_row(), 1, slope, nullptr,
                parameter_gradient.data() + offset_of(1));
    if (!input_gradient.empty())
      TROUPE_TRY(multiply(CUBLAS_OP_N, CUBLAS_OP_N, inputs_, rows_, outputs_, weights.data(),
                          inputs_, slope, outputs_, input_gradient.data(), inputs_));
    return session::started();
  }

  shared_session on_;
  int rows_;
  int outputs_;
  int inputs_;
  fused_relu relu_;
};

} // namespace

made_op make_dense(shared_session on, kernels::op_shapes shapes,
                   const kernels::dense_options& options) {
  return std::make_unique<dense>(std::move(on), std::move(shapes), options.relu);
}

} // namespace troupe::cuda
