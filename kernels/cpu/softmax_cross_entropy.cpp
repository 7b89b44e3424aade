#include "kernels/cpu/cpu.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::kernels::cpu {

namespace {

class softmax_cross_entropy final : public loss {
public:
  using loss::loss;

private:
  result<float> run_checked(view logits, std::span<const uint8_t> labels,
                            mutable_view gradient) override {
    auto batch = logits_shape()[0];
    auto classes = logits_shape()[1];
    double total = 0;
    for (size_t n = 0; n < batch; ++n) {
      auto row = logits.subspan(n * classes, classes);
      // The largest is taken off first, or exp() overflows.
      double largest = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (auto x : row)
        sum += std::exp(x - largest);
      total += largest + std::log(sum) - row[labels[n]];
      for (size_t c = 0; c < classes; ++c) {
        auto probability = std::exp(row[c] - largest) / sum;
        auto wanted = c == labels[n] ? 1.0 : 0.0;
        gradient[n * classes + c]
          = static_cast<float>((probability - wanted) / static_cast<double>(batch));
      }
    }
    return static_cast<float>(total / static_cast<double>(batch));
  }
};

} // namespace

std::unique_ptr<loss> make_softmax_cross_entropy(const shape& logits) {
  return std::make_unique<softmax_cross_entropy>(logits);
}

} // namespace troupe::kernels::cpu
