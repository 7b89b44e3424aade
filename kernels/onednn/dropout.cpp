#include "kernels/onednn/session.hpp"
#include "kernels/philox.hpp"
#include "kernels/vectorised.hpp"

#include <algorithm>

namespace troupe::kernels::onednn {

namespace {

// The factors of whole blocks of four elements.
TROUPE_VECTORISED void choose(uint64_t seed, uint32_t bound, float kept, float* scales,
                              size_t blocks) {
#pragma omp simd
  for (size_t block = 0; block < blocks; ++block) {
    auto drawn = philox(seed, block);
    scales[4 * block] = drawn[0] < bound ? 0 : kept;
    scales[4 * block + 1] = drawn[1] < bound ? 0 : kept;
    scales[4 * block + 2] = drawn[2] < bound ? 0 : kept;
    scales[4 * block + 3] = drawn[3] < bound ? 0 : kept;
  }
}

TROUPE_VECTORISED void multiply(const float* in, const float* scales, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = in[i] * scales[i];
}

class dropout final : public op {
public:
  dropout(op_shapes shapes, float rate)
    : op(std::move(shapes)), rate_(rate), scales_((elements(input_shape()) + 3) / 4 * 4) {}

private:
  result<void> run_forward(const pass& in, view input, view, mutable_view output) override {
    if (in.training)
      choose(in.seed, dropout_bound(rate_), 1 / (1 - rate_), scales_.data(), scales_.size() / 4);
    else
      std::fill(scales_.begin(), scales_.end(), 1.0F);
    multiply(input.data(), scales_.data(), output.data(), input.size());
    return {};
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    multiply(output_gradient.data(), scales_.data(), input_gradient.data(), input_gradient.size());
    return {};
  }

  float rate_;
  std::vector<float> scales_; // of the last forward
};

} // namespace

std::unique_ptr<op> make_dropout(op_shapes shapes, float rate) {
  return std::make_unique<dropout>(std::move(shapes), rate);
}

} // namespace troupe::kernels::onednn
