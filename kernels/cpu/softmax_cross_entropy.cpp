#include "kernels/cpu/cpu.hpp"
#include "kernels/shapes.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::kernels::cpu {

namespace {

class softmax_cross_entropy final : public loss {
public:
  using loss::loss;

private:
  result<float> run_valid(view logits, view labels, float scale, mutable_view gradient) override {
    auto classes = output_shape().back();
    TROUPE_TRY(check_ids("the label", labels, classes));
    auto per_row = static_cast<double>(row() / classes);
    double total = 0;
    for (size_t n = 0; n < labels.size(); ++n) {
      auto row = logits.subspan(n * classes, classes);
      auto label = static_cast<size_t>(labels[n]);
      // The largest is taken off first, or exp() overflows.
      double largest = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (auto x : row)
        sum += std::exp(x - largest);
      total += (largest + std::log(sum) - row[label]) / per_row;
      for (size_t c = 0; c < classes; ++c) {
        auto probability = std::exp(row[c] - largest) / sum;
        auto wanted = c == label ? 1.0 : 0.0;
        gradient[n * classes + c] = static_cast<float>((probability - wanted) * scale / per_row);
      }
    }
    return static_cast<float>(total);
  }
};

} // namespace

std::unique_ptr<loss> make_softmax_cross_entropy(loss_shapes shapes) {
  return std::make_unique<softmax_cross_entropy>(std::move(shapes));
}

} // namespace troupe::kernels::cpu
