#include "kernels/onednn/recurrent.hpp"
#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

namespace troupe::kernels::onednn {

namespace {

TROUPE_VECTORISED void run_cell(const step_forward& step, size_t hidden) {
  auto* __restrict gates = step.gates;
  auto* __restrict after = step.after;
  auto* __restrict cell = step.kept;
  auto at = step;
  auto sum = [&](size_t i) __attribute__((always_inline)) {
    return gates[i] + at.from_hidden[i] + at.bias_input[i] + at.bias_hidden[i];
  };
#pragma omp simd
  for (size_t i = 0; i < hidden; ++i) {
    auto input = vectorised::sigmoid(sum(i));
    auto forget = vectorised::sigmoid(sum(hidden + i));
    auto fresh = vectorised::tanh(sum(2 * hidden + i));
    auto output = vectorised::sigmoid(sum(3 * hidden + i));
    gates[i] = input;
    gates[hidden + i] = forget;
    gates[2 * hidden + i] = fresh;
    gates[3 * hidden + i] = output;
    cell[i] = forget * at.kept_before[i] + input * fresh;
    after[i] = output * vectorised::tanh(cell[i]);
  }
}

TROUPE_VECTORISED void run_cell_back(const step_backward& step, size_t hidden) {
  auto* __restrict of_hidden = step.hidden;
  auto* __restrict of_cell = step.cell;
  auto* __restrict slopes = step.from_input;
  auto at = step;
#pragma omp simd
  for (size_t i = 0; i < hidden; ++i) {
    auto input = at.gates[i];
    auto forget = at.gates[hidden + i];
    auto fresh = at.gates[2 * hidden + i];
    auto output = at.gates[3 * hidden + i];
    auto squashed = vectorised::tanh(at.kept[i]);
    auto cell = of_cell[i] + of_hidden[i] * output * (1 - squashed * squashed);
    slopes[i] = cell * fresh * input * (1 - input);
    slopes[hidden + i] = cell * at.kept_before[i] * forget * (1 - forget);
    slopes[2 * hidden + i] = cell * input * (1 - fresh * fresh);
    slopes[3 * hidden + i] = of_hidden[i] * squashed * output * (1 - output);
    of_cell[i] = cell * forget;
    of_hidden[i] = 0;
  }
}

class lstm final : public recurrent {
public:
  lstm(op_shapes shapes, const recurrent_options& options, precision products)
    : recurrent(std::move(shapes), options, products, true) {}

private:
  void step(const step_forward& at, size_t hidden) const override { run_cell(at, hidden); }
  void back(const step_backward& at, size_t hidden) const override { run_cell_back(at, hidden); }
};

} // namespace

std::unique_ptr<op> make_lstm(op_shapes shapes, const recurrent_options& options,
                              precision products) {
  return std::make_unique<lstm>(std::move(shapes), options, products);
}

} // namespace troupe::kernels::onednn
