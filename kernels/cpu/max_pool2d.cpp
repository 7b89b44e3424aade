#include "kernels/cpu/cpu.hpp"

#include <algorithm>

namespace troupe::kernels::cpu {

namespace {

class max_pool2d final : public op {
public:
  max_pool2d(op_shapes shapes, const max_pool2d_options& options)
    : op(std::move(shapes)), options_(options), winners_(elements(output_shape())) {}

private:
  result<void> run_forward(view input, view, mutable_view output) override {
    const auto& in = input_shape();
    const auto& out = output_shape();
    size_t index = 0;
    for (size_t plane = 0; plane < out[0] * out[1]; ++plane)
      for (size_t y = 0; y < out[2]; ++y)
        for (size_t x = 0; x < out[3]; ++x, ++index) {
          auto corner = (plane * in[2] + y * options_.stride) * in[3] + x * options_.stride;
          auto winner = corner;
          for (size_t i = 0; i < options_.kernel; ++i)
            for (size_t j = 0; j < options_.kernel; ++j) {
              auto candidate = corner + i * in[3] + j;
              if (input[candidate] > input[winner])
                winner = candidate;
            }
          winners_[index] = winner;
          output[index] = input[winner];
        }
    return {};
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    if (input_gradient.empty())
      return {};
    std::fill(input_gradient.begin(), input_gradient.end(), 0.0F);
    for (size_t i = 0; i < output_gradient.size(); ++i)
      input_gradient[winners_[i]] += output_gradient[i];
    return {};
  }

  max_pool2d_options options_;
  std::vector<size_t> winners_; // of the last forward: which input became each output
};

} // namespace

std::unique_ptr<op> make_max_pool2d(op_shapes shapes, const max_pool2d_options& options) {
  return std::make_unique<max_pool2d>(std::move(shapes), options);
}

} // namespace troupe::kernels::cpu
