#include "kernels/cpu/cpu.hpp"

namespace troupe::kernels::cpu {

namespace {

class relu final : public op {
public:
  using op::op;

private:
  result<void> run_forward(view input, view, mutable_view output) override {
    for (size_t i = 0; i < input.size(); ++i)
      output[i] = input[i] > 0 ? input[i] : 0;
    return {};
  }

  result<void> run_backward(view input, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    for (size_t i = 0; i < input_gradient.size(); ++i)
      input_gradient[i] = input[i] > 0 ? output_gradient[i] : 0;
    return {};
  }
};

} // namespace

std::unique_ptr<op> make_relu(op_shapes shapes) {
  return std::make_unique<relu>(std::move(shapes));
}

} // namespace troupe::kernels::cpu
