#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

#include <algorithm>

namespace troupe::kernels::onednn {

namespace {

TROUPE_VECTORISED float run_row(const float* output, const float* target, float scale,
                                float* gradient, size_t count) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (size_t i = 0; i < count; ++i) {
    auto off = output[i] - target[i];
    total += off * off;
    gradient[i] = 2 * scale * off;
  }
  return total;
}

class mean_squared_error final : public loss {
public:
  using loss::loss;

private:
  result<float> run_valid(view outputs, view targets, float scale, mutable_view gradient) override {
    auto per_row = static_cast<float>(row());
    double total = 0;
    for (size_t at = 0; at < outputs.size(); at += row())
      total += run_row(&outputs[at], &targets[at], scale / per_row, &gradient[at], row());
    return static_cast<float>(total / per_row);
  }
};

} // namespace

std::unique_ptr<loss> make_mean_squared_error(loss_shapes shapes) {
  return std::make_unique<mean_squared_error>(std::move(shapes));
}

} // namespace troupe::kernels::onednn
