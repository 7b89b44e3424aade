#include "kernels/cuda/grid.cuh"
#include "kernels/cuda/launch.hpp"
#include "kernels/optimiser_rules.hpp"

namespace troupe::cuda {
namespace {

struct arrays {
  const float* gradients;
  float* first;
  float* second;
  float* parameters;
};

template <class Rule>
void update_with_two(cudaStream_t stream, Rule rule, size_t size, arrays of) {
  for_each(stream, size, [=] __device__(size_t i) {
    rule(of.gradients[i], of.first[i], of.second[i], of.parameters[i]);
  });
}

} // namespace

void update(cudaStream_t stream, const kernels::optimiser_options& options,
            const kernels::optimiser_step& step, size_t size, const float* gradients, float* first,
            float* second, float* parameters) {
  using kernels::optimiser_kind;
  arrays of{gradients, first, second, parameters};
  if (options.kind == optimiser_kind::adadelta)
    return update_with_two(stream, kernels::adadelta_rule(options, step), size, of);
  if (options.kind != optimiser_kind::sgd)
    return update_with_two(stream, kernels::adam_rule(options, step), size, of);
  if (first) {
    kernels::momentum_rule rule(options, step);
    for_each(stream, size,
             [=] __device__(size_t i) { rule(of.gradients[i], of.first[i], of.parameters[i]); });
    return;
  }
  kernels::plain_rule rule(options, step);
  for_each(stream, size, [=] __device__(size_t i) { rule(of.gradients[i], of.parameters[i]); });
}

} // namespace troupe::cuda
