#include "kernels/cpu/cpu.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::kernels::cpu {

namespace {

class binary_cross_entropy final : public loss {
public:
  using loss::loss;

private:
  result<float> run_valid(view logits, view targets, float scale, mutable_view gradient) override {
    auto per_row = static_cast<double>(row());
    double total = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      double x = logits[i];
      double wanted = targets[i];
      // -wanted log(p) - (1 - wanted) log(1 - p), arranged so that exp() does not overflow.
      total += std::max(x, 0.0) - x * wanted + std::log1p(std::exp(-std::abs(x)));
      gradient[i] = static_cast<float>((1 / (1 + std::exp(-x)) - wanted) * scale / per_row);
    }
    return static_cast<float>(total / per_row);
  }
};

} // namespace

std::unique_ptr<loss> make_binary_cross_entropy(loss_shapes shapes) {
  return std::make_unique<binary_cross_entropy>(std::move(shapes));
}

} // namespace troupe::kernels::cpu
