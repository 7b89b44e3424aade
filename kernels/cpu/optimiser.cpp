#include "kernels/cpu/cpu.hpp"
#include "kernels/optimiser_rules.hpp"

namespace troupe::kernels::cpu {

void update(const optimiser_options& options, const optimiser_step& step, view gradients,
            mutable_view first_state, mutable_view second_state, mutable_view parameters) {
  assert_sizes(options, gradients, first_state, second_state, parameters);
  auto with_two = [&](const auto& rule) {
    for (size_t i = 0; i < parameters.size(); ++i)
      rule(gradients[i], first_state[i], second_state[i], parameters[i]);
  };
  switch (options.kind) {
  case optimiser_kind::sgd:
    for (size_t i = 0; i < parameters.size(); ++i)
      if (first_state.empty())
        plain_rule(options, step)(gradients[i], parameters[i]);
      else
        momentum_rule(options, step)(gradients[i], first_state[i], parameters[i]);
    return;
  case optimiser_kind::adam:
  case optimiser_kind::adamw:
    return with_two(adam_rule(options, step));
  case optimiser_kind::adadelta:
    return with_two(adadelta_rule(options, step));
  }
}

} // namespace troupe::kernels::cpu
