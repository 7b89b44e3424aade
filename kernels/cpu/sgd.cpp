#include "kernels/cpu/cpu.hpp"

namespace troupe::kernels::cpu {

void sgd(const sgd_options& options, view gradients, mutable_view velocity,
         mutable_view parameters) {
  TROUPE_ASSERT(gradients.size() == parameters.size());
  TROUPE_ASSERT(velocity.size() == parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    velocity[i]
      = options.momentum * velocity[i] + gradients[i] + options.weight_decay * parameters[i];
    parameters[i] -= options.learning_rate * velocity[i];
  }
}

} // namespace troupe::kernels::cpu
