#include "kernels/op.hpp"

#include <cmath>

namespace troupe::kernels {

result<void> check(const optimiser_options& options) {
  auto refuse = [](const char* what) -> result<void> {
    return {errc::invalid, std::string("The optimiser makes no sense: ") + what};
  };
  auto fraction = [](float x) { return x >= 0 && x < 1; };
  auto finite = [](float x) { return std::isfinite(x) && x >= 0; };
  if (!finite(options.learning_rate) || options.learning_rate == 0)
    return refuse("its learning rate must be above 0.");
  if (!fraction(options.momentum))
    return refuse("its momentum must be at least 0 and below 1.");
  if (options.nesterov && options.momentum == 0)
    return refuse("Nesterov's form needs a momentum above 0.");
  if (!fraction(options.beta1) || !fraction(options.beta2))
    return refuse("beta1 and beta2 must be at least 0 and below 1.");
  if (!fraction(options.rho))
    return refuse("rho must be at least 0 and below 1.");
  if (!finite(options.epsilon) || options.epsilon == 0)
    return refuse("its epsilon must be above 0.");
  if (!finite(options.weight_decay))
    return refuse("its weight decay must be at least 0.");
  return {};
}

size_t state_arrays(const optimiser_options& options) {
  if (options.kind == optimiser_kind::sgd)
    return options.momentum == 0 ? 0 : 1;
  return 2;
}

} // namespace troupe::kernels
