#include "kernels/onednn/recurrent.hpp"
#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

namespace troupe::kernels::onednn {

namespace {

TROUPE_VECTORISED void run_cell(const step_forward& step, size_t hidden) {
  auto* __restrict gates = step.gates;
  auto* __restrict after = step.after;
  auto* __restrict kept = step.kept;
  auto at = step;
#pragma omp simd
  for (size_t i = 0; i < hidden; ++i) {
    auto input = [&](size_t gate) __attribute__((always_inline)) {
      return gates[gate * hidden + i] + at.bias_input[gate * hidden + i];
    };
    auto state = [&](size_t gate) __attribute__((always_inline)) {
      return at.from_hidden[gate * hidden + i] + at.bias_hidden[gate * hidden + i];
    };
    auto reset = vectorised::sigmoid(input(0) + state(0));
    auto update = vectorised::sigmoid(input(1) + state(1));
    auto from_state = state(2);
    auto fresh = vectorised::tanh(input(2) + reset * from_state);
    gates[i] = reset;
    gates[hidden + i] = update;
    gates[2 * hidden + i] = fresh;
    kept[i] = from_state;
    after[i] = (1 - update) * fresh + update * at.before[i];
  }
}

TROUPE_VECTORISED void run_cell_back(const step_backward& step, size_t hidden) {
  auto* __restrict of_hidden = step.hidden;
  auto* __restrict of_input = step.from_input;
  auto* __restrict of_state = step.from_hidden;
  auto at = step;
#pragma omp simd
  for (size_t i = 0; i < hidden; ++i) {
    auto reset = at.gates[i];
    auto update = at.gates[hidden + i];
    auto fresh = at.gates[2 * hidden + i];
    auto of_fresh = of_hidden[i] * (1 - update) * (1 - fresh * fresh);
    auto of_reset = of_fresh * at.kept[i] * reset * (1 - reset);
    auto of_update = of_hidden[i] * (at.before[i] - fresh) * update * (1 - update);
    of_input[i] = of_reset;
    of_input[hidden + i] = of_update;
    of_input[2 * hidden + i] = of_fresh;
    of_state[i] = of_reset;
    of_state[hidden + i] = of_update;
    of_state[2 * hidden + i] = of_fresh * reset;
    of_hidden[i] *= update;
  }
}

class gru final : public recurrent {
public:
  gru(op_shapes shapes, const recurrent_options& options, precision products)
    : recurrent(std::move(shapes), options, products, false) {}

private:
  void step(const step_forward& at, size_t hidden) const override { run_cell(at, hidden); }
  void back(const step_backward& at, size_t hidden) const override { run_cell_back(at, hidden); }
};

} // namespace

std::unique_ptr<op> make_gru(op_shapes shapes, const recurrent_options& options,
                             precision products) {
  return std::make_unique<gru>(std::move(shapes), options, products);
}

} // namespace troupe::kernels::onednn
