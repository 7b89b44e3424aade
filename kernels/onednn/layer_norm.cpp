#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::kernels::onednn {

namespace {

struct moments {
  float mean;
  float inverse; // of the standard deviation
};

TROUPE_VECTORISED moments normalise(const float* in, const float* weight, const float* bias,
                                    float epsilon, float* out, size_t count) {
  auto whole = static_cast<float>(count);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < count; ++i)
    sum += in[i];
  auto mean = sum / whole;
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (size_t i = 0; i < count; ++i)
    squares += (in[i] - mean) * (in[i] - mean);
  auto inverse = 1 / std::sqrt(squares / whole + epsilon);
  for (size_t i = 0; i < count; ++i)
    out[i] = (in[i] - mean) * inverse * weight[i] + bias[i];
  return {mean, inverse};
}

// Adds to the gradients of weight and bias.
TROUPE_VECTORISED void accumulate(const float* in, moments of, const float* slope,
                                  float* weight_gradient, float* bias_gradient, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    weight_gradient[i] += slope[i] * (in[i] - of.mean) * of.inverse;
    bias_gradient[i] += slope[i];
  }
}

TROUPE_VECTORISED void differentiate(const float* in, moments of, const float* weight,
                                     const float* slope, float* out, size_t count) {
  float sum = 0;
  float product = 0;
#pragma omp simd reduction(+ : sum, product)
  for (size_t i = 0; i < count; ++i) {
    auto weighted = slope[i] * weight[i];
    sum += weighted;
    product += weighted * (in[i] - of.mean);
  }
  auto part = 1 / static_cast<float>(count);
  auto linear = product * of.inverse * of.inverse * part;
  for (size_t i = 0; i < count; ++i)
    out[i] = of.inverse * (slope[i] * weight[i] - sum * part - linear * (in[i] - of.mean));
}

class layer_norm final : public op {
public:
  layer_norm(op_shapes shapes, const layer_norm_options& options)
    : op(std::move(shapes)), epsilon_(options.epsilon), extent_(input_shape().back()),
      moments_(elements(input_shape()) / extent_) {}

private:
  result<void> run_forward(const pass&, view input, view parameters, mutable_view output) override {
    for (size_t row = 0; row < moments_.size(); ++row)
      moments_[row] = normalise(&input[row * extent_], parameters.data(), &parameters[extent_],
                                epsilon_, &output[row * extent_], extent_);
    return {};
  }

  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    std::fill(parameter_gradient.begin(), parameter_gradient.end(), 0.0F);
    for (size_t row = 0; row < moments_.size(); ++row) {
      auto* in = &input[row * extent_];
      auto* slope = &output_gradient[row * extent_];
      accumulate(in, moments_[row], slope, parameter_gradient.data(), &parameter_gradient[extent_],
                 extent_);
      if (!input_gradient.empty())
        differentiate(in, moments_[row], parameters.data(), slope, &input_gradient[row * extent_],
                      extent_);
    }
    return {};
  }

  float epsilon_;
  size_t extent_;
  std::vector<moments> moments_; // of each row in the last forward
};

} // namespace

std::unique_ptr<op> make_layer_norm(op_shapes shapes, const layer_norm_options& options) {
  return std::make_unique<layer_norm>(std::move(shapes), options);
}

} // namespace troupe::kernels::onednn
