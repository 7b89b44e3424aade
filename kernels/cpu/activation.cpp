#include "kernels/cpu/cpu.hpp"

#include <cmath>
#include <numbers>

namespace troupe::kernels::cpu {

namespace {

double value(activation how, double x) {
  switch (how) {
  case activation::relu:
    return x > 0 ? x : 0;
  case activation::tanh:
    return std::tanh(x);
  case activation::sigmoid:
    return 1 / (1 + std::exp(-x));
  case activation::gelu:
    return x * (1 + std::erf(x / std::numbers::sqrt2)) / 2;
  }
  return x;
}

double slope(activation how, double x) {
  auto y = value(how, x);
  switch (how) {
  case activation::relu:
    return x > 0 ? 1 : 0;
  case activation::tanh:
    return 1 - y * y;
  case activation::sigmoid:
    return y * (1 - y);
  case activation::gelu: {
    // The normal distribution and its density.
    auto below = (1 + std::erf(x / std::numbers::sqrt2)) / 2;
    auto density = std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    return below + x * density;
  }
  }
  return 1;
}

class activation_op final : public op {
public:
  activation_op(op_shapes shapes, activation how) : op(std::move(shapes)), how_(how) {}

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    for (size_t i = 0; i < input.size(); ++i)
      output[i] = static_cast<float>(value(how_, input[i]));
    return {};
  }

  result<void> run_backward(view input, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    for (size_t i = 0; i < input_gradient.size(); ++i)
      input_gradient[i] = static_cast<float>(slope(how_, input[i]) * output_gradient[i]);
    return {};
  }

  activation how_;
};

} // namespace

std::unique_ptr<op> make_activation(op_shapes shapes, activation how) {
  return std::make_unique<activation_op>(std::move(shapes), how);
}

} // namespace troupe::kernels::cpu
