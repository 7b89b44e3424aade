#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

#include <cmath>

namespace troupe::kernels::onednn {

namespace {

// Without the logarithms, whose sum is that of log(1 + small[i]).
TROUPE_VECTORISED float run_row(const float* logit, const float* target, float scale,
                                float* gradient, float* small, size_t count) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (size_t i = 0; i < count; ++i) {
    auto x = logit[i];
    auto fall = vectorised::exp(x < 0 ? x : -x);
    auto probability = (x < 0 ? fall : 1.0F) / (1 + fall);
    total += (x < 0 ? 0.0F : x) - x * target[i];
    gradient[i] = (probability - target[i]) * scale;
    small[i] = fall;
  }
  return total;
}

class binary_cross_entropy final : public loss {
public:
  explicit binary_cross_entropy(loss_shapes shapes) : loss(std::move(shapes)), small_(row()) {}

private:
  result<float> run_valid(view logits, view targets, float scale, mutable_view gradient) override {
    auto per_row = static_cast<float>(row());
    double total = 0;
    for (size_t at = 0; at < logits.size(); at += row()) {
      total
        += run_row(&logits[at], &targets[at], scale / per_row, &gradient[at], small_.data(), row());
      for (auto each : small_)
        total += std::log1p(each);
    }
    return static_cast<float>(total / per_row);
  }

  std::vector<float> small_;
};

} // namespace

std::unique_ptr<loss> make_binary_cross_entropy(loss_shapes shapes) {
  return std::make_unique<binary_cross_entropy>(std::move(shapes));
}

} // namespace troupe::kernels::onednn
