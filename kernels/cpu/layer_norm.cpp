#include "kernels/cpu/cpu.hpp"

#include <cmath>

namespace troupe::kernels::cpu {

namespace {

struct moments {
  double mean = 0;
  double inverse = 0; // of the standard deviation
};

class layer_norm final : public op {
public:
  layer_norm(op_shapes shapes, const layer_norm_options& options)
    : op(std::move(shapes)), epsilon_(options.epsilon), extent_(input_shape().back()) {}

private:
  moments measure(view row) const {
    auto whole = static_cast<double>(extent_);
    double sum = 0;
    for (auto x : row)
      sum += x;
    auto mean = sum / whole;
    double squares = 0;
    for (auto x : row)
      squares += (x - mean) * (x - mean);
    return {mean, 1 / std::sqrt(squares / whole + epsilon_)};
  }

  result<void> run_forward(const pass&, view input, view parameters, mutable_view output) override {
    for (size_t at = 0; at < input.size(); at += extent_) {
      auto of = measure(input.subspan(at, extent_));
      for (size_t i = 0; i < extent_; ++i)
        output[at + i] = static_cast<float>((input[at + i] - of.mean) * of.inverse * parameters[i]
                                            + parameters[offset_of(1) + i]);
    }
    return {};
  }

  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    auto whole = static_cast<double>(extent_);
    std::vector<double> sums(2 * extent_);
    for (size_t at = 0; at < input.size(); at += extent_) {
      auto of = measure(input.subspan(at, extent_));
      auto normal = [&](size_t i) { return (input[at + i] - of.mean) * of.inverse; };
      double sum = 0;
      double product = 0;
      for (size_t i = 0; i < extent_; ++i) {
        auto slope = double{output_gradient[at + i]} * parameters[i];
        sum += slope;
        product += slope * normal(i);
        sums[i] += output_gradient[at + i] * normal(i);
        sums[extent_ + i] += output_gradient[at + i];
      }
      if (input_gradient.empty())
        continue;
      for (size_t i = 0; i < extent_; ++i) {
        auto slope = double{output_gradient[at + i]} * parameters[i];
        input_gradient[at + i]
          = static_cast<float>(of.inverse * (slope - (sum + normal(i) * product) / whole));
      }
    }
    for (size_t i = 0; i < sums.size(); ++i)
      parameter_gradient[i] = static_cast<float>(sums[i]);
    return {};
  }

  float epsilon_;
  size_t extent_;
};

} // namespace

std::unique_ptr<op> make_layer_norm(op_shapes shapes, const layer_norm_options& options) {
  return std::make_unique<layer_norm>(std::move(shapes), options);
}

} // namespace troupe::kernels::cpu
