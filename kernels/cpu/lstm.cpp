#include "kernels/cpu/cpu.hpp"
#include "kernels/cpu/recurrent.hpp"

#include <cmath>

namespace troupe::kernels::cpu {

namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

struct gates {
  double input, forget, cell, output;
};

class lstm final : public recurrent {
public:
  using recurrent::recurrent;

private:
  gates gates_of(const moment& now, size_t i) const {
    auto sum = [&](size_t gate) {
      return now.from_input[gate * hidden() + i] + now.from_hidden[gate * hidden() + i];
    };
    return {sigmoid(sum(0)), sigmoid(sum(1)), std::tanh(sum(2)), sigmoid(sum(3))};
  }

  void step(moment& now, size_t i) const override {
    auto g = gates_of(now, i);
    now.cell[i] = g.forget * now.cell_before[i] + g.input * g.cell;
    now.hidden[i] = g.output * std::tanh(now.cell[i]);
  }

  void back(const moment& now, moment_slopes& slopes, size_t i) const override {
    auto g = gates_of(now, i);
    auto squashed = std::tanh(now.cell[i]);
    auto of_hidden = slopes.hidden[i];
    auto of_cell = slopes.cell[i] + of_hidden * g.output * (1 - squashed * squashed);
    const double of_sums[] = {of_cell * g.cell * g.input * (1 - g.input),
                              of_cell * now.cell_before[i] * g.forget * (1 - g.forget),
                              of_cell * g.input * (1 - g.cell * g.cell),
                              of_hidden * squashed * g.output * (1 - g.output)};
    for (size_t gate = 0; gate < 4; ++gate)
      slopes.from_input[gate * hidden() + i] = slopes.from_hidden[gate * hidden() + i]
        = of_sums[gate];
    slopes.cell[i] = of_cell * g.forget;
    slopes.hidden[i] = 0;
  }
};

} // namespace

std::unique_ptr<op> make_lstm(op_shapes shapes, const recurrent_options& options,
                              precision products) {
  return std::make_unique<lstm>(std::move(shapes), options, products);
}

} // namespace troupe::kernels::cpu
