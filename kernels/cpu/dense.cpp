#include "kernels/cpu/cpu.hpp"
#include "kernels/fused_relu.hpp"

namespace troupe::kernels::cpu {

namespace {

class dense final : public op {
public:
  dense(op_shapes shapes, const dense_options& options)
    : op(std::move(shapes)), rows_(output_shape()[0]), outputs_(output_row()), inputs_(input_row()),
      relu_(options.relu, rows_ * outputs_) {}

private:
  result<void> run_forward(const pass&, view input, view weights, mutable_view output) override {
    for (size_t n = 0; n < rows_; ++n)
      for (size_t o = 0; o < outputs_; ++o) {
        double sum = weights[offset_of(1) + o];
        for (size_t i = 0; i < inputs_; ++i)
          sum += static_cast<double>(input[n * inputs_ + i]) * weights[o * inputs_ + i];
        output[n * outputs_ + o] = static_cast<float>(sum);
      }
    relu_.forward(output);
    return {};
  }

  result<void> run_backward(view input, view weights, view gradient, mutable_view input_gradient,
                            mutable_view parameter_gradient) override {
    auto output_gradient = relu_.backward(gradient);
    for (size_t o = 0; o < outputs_; ++o) {
      for (size_t i = 0; i < inputs_; ++i) {
        double sum = 0;
        for (size_t n = 0; n < rows_; ++n)
          sum += static_cast<double>(input[n * inputs_ + i]) * output_gradient[n * outputs_ + o];
        parameter_gradient[o * inputs_ + i] = static_cast<float>(sum);
      }
      double sum = 0;
      for (size_t n = 0; n < rows_; ++n)
        sum += output_gradient[n * outputs_ + o];
      parameter_gradient[offset_of(1) + o] = static_cast<float>(sum);
    }
    if (input_gradient.empty())
      return {};
    for (size_t n = 0; n < rows_; ++n)
      for (size_t i = 0; i < inputs_; ++i) {
        double sum = 0;
        for (size_t o = 0; o < outputs_; ++o)
          sum += static_cast<double>(output_gradient[n * outputs_ + o]) * weights[o * inputs_ + i];
        input_gradient[n * inputs_ + i] = static_cast<float>(sum);
      }
    return {};
  }

  size_t rows_;
  size_t outputs_;
  size_t inputs_;
  fused_relu relu_;
};

} // namespace

std::unique_ptr<op> make_dense(op_shapes shapes, const dense_options& options) {
  return std::make_unique<dense>(std::move(shapes), options);
}

} // namespace troupe::kernels::cpu
