#include "kernels/cpu/cpu.hpp"
#include "kernels/cpu/recurrent.hpp"

#include <cmath>

namespace troupe::kernels::cpu {

namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

struct gates {
  double reset, update, fresh;
};

class gru final : public recurrent {
public:
  using recurrent::recurrent;

private:
  gates gates_of(const moment& now, size_t i) const {
    auto h = hidden();
    auto reset = sigmoid(now.from_input[i] + now.from_hidden[i]);
    auto update = sigmoid(now.from_input[h + i] + now.from_hidden[h + i]);
    return {reset, update,
            std::tanh(now.from_input[2 * h + i] + reset * now.from_hidden[2 * h + i])};
  }

  void step(moment& now, size_t i) const override {
    auto g = gates_of(now, i);
    now.hidden[i] = (1 - g.update) * g.fresh + g.update * now.hidden_before[i];
  }

  void back(const moment& now, moment_slopes& slopes, size_t i) const override {
    auto h = hidden();
    auto g = gates_of(now, i);
    auto of_hidden = slopes.hidden[i];
    auto of_fresh = of_hidden * (1 - g.update) * (1 - g.fresh * g.fresh);
    slopes.from_input[i] = slopes.from_hidden[i]
      = of_fresh * now.from_hidden[2 * h + i] * g.reset * (1 - g.reset);
    slopes.from_input[h + i] = slopes.from_hidden[h + i]
      = of_hidden * (now.hidden_before[i] - g.fresh) * g.update * (1 - g.update);
    slopes.from_input[2 * h + i] = of_fresh;
    slopes.from_hidden[2 * h + i] = of_fresh * g.reset;
    slopes.hidden[i] = of_hidden * g.update;
  }
};

} // namespace

std::unique_ptr<op> make_gru(op_shapes shapes, const recurrent_options& options,
                             precision products) {
  return std::make_unique<gru>(std::move(shapes), options, products);
}

} // namespace troupe::kernels::cpu
