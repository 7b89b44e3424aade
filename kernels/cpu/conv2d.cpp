#include "kernels/cpu/cpu.hpp"
#include "kernels/fused_relu.hpp"

#include <algorithm>

namespace troupe::kernels::cpu {

namespace {

class conv2d final : public op {
public:
  conv2d(op_shapes shapes, const conv2d_options& options)
    : op(std::move(shapes)), options_(options), relu_(options.relu, elements(output_shape())) {}

private:
  // Calls visit(input index, weight index, output index) for each product that the convolution
  // sums.
  template <class Visit>
  void each_product(Visit visit) const {
    const auto& in = input_shape();
    const auto& out = output_shape();
    auto k = options_.kernel;
    for (size_t n = 0; n < out[0]; ++n)
      for (size_t o = 0; o < out[1]; ++o)
        for (size_t y = 0; y < out[2]; ++y)
          for (size_t x = 0; x < out[3]; ++x)
            for (size_t c = 0; c < in[1]; ++c)
              for (size_t i = 0; i < k; ++i)
                for (size_t j = 0; j < k; ++j) {
                  // Unsigned: a row in the upper padding wraps and is out of range as well.
                  auto row = y * options_.stride + i - options_.padding;
                  auto column = x * options_.stride + j - options_.padding;
                  if (row < in[2] && column < in[3])
                    visit(((n * in[1] + c) * in[2] + row) * in[3] + column,
                          ((o * in[1] + c) * k + i) * k + j,
                          ((n * out[1] + o) * out[2] + y) * out[3] + x);
                }
  }

  // The channel of an output element.
  size_t channel(size_t index) const {
    const auto& out = output_shape();
    return index / (out[2] * out[3]) % out[1];
  }

  result<void> run_forward(const pass&, view input, view weights, mutable_view output) override {
    std::vector<double> sums(output.size());
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] = weights[offset_of(1) + channel(i)];
    each_product([&](size_t in, size_t w, size_t out) {
      sums[out] += static_cast<double>(input[in]) * weights[w];
    });
    std::transform(sums.begin(), sums.end(), output.begin(),
                   [](double x) { return static_cast<float>(x); });
    relu_.forward(output);
    return {};
  }

  result<void> run_backward(view input, view weights, view gradient, mutable_view input_gradient,
                            mutable_view parameter_gradient) override {
    auto output_gradient = relu_.backward(gradient);
    std::vector<double> inputs(input_gradient.size());
    std::vector<double> sums(parameter_count());
    for (size_t i = 0; i < output_gradient.size(); ++i)
      sums[offset_of(1) + channel(i)] += output_gradient[i];
    each_product([&](size_t in, size_t w, size_t out) {
      sums[w] += static_cast<double>(input[in]) * output_gradient[out];
      if (!inputs.empty())
        inputs[in] += static_cast<double>(weights[w]) * output_gradient[out];
    });
    auto narrow = [](double x) { return static_cast<float>(x); };
    std::transform(sums.begin(), sums.end(), parameter_gradient.begin(), narrow);
    std::transform(inputs.begin(), inputs.end(), input_gradient.begin(), narrow);
    return {};
  }

  conv2d_options options_;
  fused_relu relu_;
};

} // namespace

std::unique_ptr<op> make_conv2d(op_shapes shapes, const conv2d_options& options) {
  return std::make_unique<conv2d>(std::move(shapes), options);
}

} // namespace troupe::kernels::cpu
