#include "kernels/onednn/product.hpp"
#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

#include <algorithm>

namespace troupe::kernels::onednn {

namespace {

TROUPE_VECTORISED void add(const float* bias, float* row, size_t count) {
  for (size_t i = 0; i < count; ++i)
    row[i] += bias[i];
}

// And then max(x, 0), noting where it passes.
TROUPE_VECTORISED void add_and_clip(const float* bias, float* row, float* passed, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    auto x = row[i] + bias[i];
    passed[i] = x > 0 ? 1.0F : 0.0F;
    row[i] = x > 0 ? x : 0;
  }
}

TROUPE_VECTORISED void mask(const float* slope, const float* passed, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = slope[i] * passed[i];
}

class dense final : public op {
public:
  dense(op_shapes shapes, const dense_options& options)
    : op(std::move(shapes)), rows_(output_shape()[0]), outputs_(output_row()), inputs_(input_row()),
      passed_(options.relu ? rows_ * outputs_ : 0), masked_(passed_.size()) {}

private:
  result<void> run_forward(const pass&, view input, view parameters, mutable_view output) override {
    TROUPE_TRY(multiply(rows_, outputs_, inputs_, {input.data(), inputs_},
                        {parameters.data(), inputs_, true}, 0, output.data()));
    auto* bias = parameters.data() + offset_of(1);
    for (size_t at = 0; at < output.size(); at += outputs_)
      if (passed_.empty())
        add(bias, &output[at], outputs_);
      else
        add_and_clip(bias, &output[at], &passed_[at], outputs_);
    return {};
  }

  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    auto* slope = output_gradient.data();
    if (!passed_.empty()) {
      mask(slope, passed_.data(), masked_.data(), masked_.size());
      slope = masked_.data();
    }
    TROUPE_TRY(multiply(outputs_, inputs_, rows_, {slope, outputs_, true}, {input.data(), inputs_},
                        0, parameter_gradient.data()));
    auto bias = parameter_gradient.subspan(offset_of(1));
    std::fill(bias.begin(), bias.end(), 0.0F);
    for (size_t n = 0; n < rows_; ++n)
      add(slope + n * outputs_, bias.data(), outputs_);
    if (input_gradient.empty())
      return {};
    return multiply(rows_, inputs_, outputs_, {slope, outputs_}, {parameters.data(), inputs_}, 0,
                    input_gradient.data());
  }

  size_t rows_;
  size_t outputs_;
  size_t inputs_;
  std::vector<float> passed_; // 1 where relu passes, or else 0
  std::vector<float> masked_; // the gradient before it
};

} // namespace

std::unique_ptr<op> make_dense(op_shapes shapes, const dense_options& options) {
  return std::make_unique<dense>(std::move(shapes), options);
}

} // namespace troupe::kernels::onednn
