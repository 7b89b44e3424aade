#include "kernels/cpu/cpu.hpp"

namespace troupe::kernels::cpu {

namespace {

class mean_squared_error final : public loss {
public:
  using loss::loss;

private:
  result<float> run_valid(view outputs, view targets, float scale, mutable_view gradient) override {
    auto per_row = static_cast<double>(row());
    double total = 0;
    for (size_t i = 0; i < outputs.size(); ++i) {
      auto off = double{outputs[i]} - targets[i];
      total += off * off;
      gradient[i] = static_cast<float>(2 * off * scale / per_row);
    }
    return static_cast<float>(total / per_row);
  }
};

} // namespace

std::unique_ptr<loss> make_mean_squared_error(loss_shapes shapes) {
  return std::make_unique<mean_squared_error>(std::move(shapes));
}

} // namespace troupe::kernels::cpu
