#include "kernels/cpu/cpu.hpp"

namespace troupe::kernels::cpu {

namespace {

class dense final : public op {
public:
  explicit dense(op_shapes shapes)
    : op(std::move(shapes)), rows_(output_shape()[0]), outputs_(output_shape()[1]),
      inputs_(parameters().fan_in) {}

private:
  result<void> run_forward(view input, view weights, mutable_view output) override {
    for (size_t n = 0; n < rows_; ++n)
      for (size_t o = 0; o < outputs_; ++o) {
        double sum = weights[parameters().weights + o];
        for (size_t i = 0; i < inputs_; ++i)
          sum += static_cast<double>(input[n * inputs_ + i]) * weights[o * inputs_ + i];
        output[n * outputs_ + o] = static_cast<float>(sum);
      }
    return {};
  }

  result<void> run_backward(view input, view weights, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
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
      parameter_gradient[parameters().weights + o] = static_cast<float>(sum);
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
};

} // namespace

std::unique_ptr<op> make_dense(op_shapes shapes) {
  return std::make_unique<dense>(std::move(shapes));
}

} // namespace troupe::kernels::cpu
