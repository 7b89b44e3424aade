#include "kernels/cpu/cpu.hpp"
#include "kernels/philox.hpp"

namespace troupe::kernels::cpu {

namespace {

class dropout final : public op {
public:
  dropout(op_shapes shapes, float rate)
    : op(std::move(shapes)), rate_(rate), scales_(elements(input_shape())) {}

private:
  result<void> run_forward(const pass& in, view input, view, mutable_view output) override {
    for (size_t i = 0; i < input.size(); ++i) {
      auto dropped = philox(in.seed, i / 4)[i % 4] < dropout_bound(rate_);
      scales_[i] = !in.training ? 1 : dropped ? 0 : 1 / (1 - rate_);
      output[i] = input[i] * scales_[i];
    }
    return {};
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    for (size_t i = 0; i < input_gradient.size(); ++i)
      input_gradient[i] = output_gradient[i] * scales_[i];
    return {};
  }

  float rate_;
  std::vector<float> scales_; // of the last forward
};

} // namespace

std::unique_ptr<op> make_dropout(op_shapes shapes, float rate) {
  return std::make_unique<dropout>(std::move(shapes), rate);
}

} // namespace troupe::kernels::cpu
