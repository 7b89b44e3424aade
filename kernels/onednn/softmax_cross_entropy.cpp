#include "kernels/onednn/session.hpp"
#include "kernels/shapes.hpp"
#include "kernels/vectorised.hpp"

#include <cmath>

namespace troupe::kernels::onednn {

namespace {

// Writes scale times the probability of each class; returns the logarithm of what the exponentials
// of the logits sum up to.
TROUPE_VECTORISED float softmax(const float* logits, float scale, float* out, size_t classes) {
  auto largest = logits[0];
#pragma omp simd reduction(max : largest)
  for (size_t c = 0; c < classes; ++c)
    largest = largest < logits[c] ? logits[c] : largest;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t c = 0; c < classes; ++c) {
    out[c] = vectorised::exp(logits[c] - largest);
    sum += out[c];
  }
  auto factor = scale / sum;
  for (size_t c = 0; c < classes; ++c)
    out[c] *= factor;
  return largest + std::log(sum);
}

class softmax_cross_entropy final : public loss {
public:
  using loss::loss;

private:
  result<float> run_valid(view logits, view labels, float scale, mutable_view gradient) override {
    auto classes = output_shape().back();
    TROUPE_TRY(check_ids("the label", labels, classes));
    auto per_row = row() / classes;
    auto each = scale / static_cast<float>(per_row);
    double total = 0;
    for (size_t n = 0; n < labels.size(); ++n) {
      auto wanted = n * classes + static_cast<size_t>(labels[n]);
      total += softmax(&logits[n * classes], each, &gradient[n * classes], classes);
      total -= logits[wanted];
      gradient[wanted] -= each;
    }
    return static_cast<float>(total / static_cast<double>(per_row));
  }
};

} // namespace

std::unique_ptr<loss> make_softmax_cross_entropy(loss_shapes shapes) {
  return std::make_unique<softmax_cross_entropy>(std::move(shapes));
}

} // namespace troupe::kernels::onednn
