#include "kernels/onednn/session.hpp"
#include "kernels/optimiser_rules.hpp"
#include "kernels/vectorised.hpp"

namespace troupe::kernels::onednn {

namespace {

TROUPE_VECTORISED void plain(const plain_rule& rule, const float* __restrict gradient,
                             float* __restrict parameter, size_t count) {
  auto r = rule;
  for (size_t i = 0; i < count; ++i)
    r(gradient[i], parameter[i]);
}

TROUPE_VECTORISED void momentum(const momentum_rule& rule, const float* __restrict gradient,
                                float* __restrict velocity, float* __restrict parameter,
                                size_t count) {
  auto r = rule;
  for (size_t i = 0; i < count; ++i)
    r(gradient[i], velocity[i], parameter[i]);
}

TROUPE_VECTORISED void adam(const adam_rule& rule, const float* __restrict gradient,
                            float* __restrict first, float* __restrict second,
                            float* __restrict parameter, size_t count) {
  auto r = rule;
  for (size_t i = 0; i < count; ++i)
    r(gradient[i], first[i], second[i], parameter[i]);
}

TROUPE_VECTORISED void adadelta(const adadelta_rule& rule, const float* __restrict gradient,
                                float* __restrict first, float* __restrict second,
                                float* __restrict parameter, size_t count) {
  auto r = rule;
  for (size_t i = 0; i < count; ++i)
    r(gradient[i], first[i], second[i], parameter[i]);
}

} // namespace

void update(const optimiser_options& options, const optimiser_step& step, view gradients,
            mutable_view first_state, mutable_view second_state, mutable_view parameters) {
  assert_sizes(options, gradients, first_state, second_state, parameters);
  auto* first = first_state.data();
  auto* second = second_state.data();
  auto* to = parameters.data();
  auto count = parameters.size();
  switch (options.kind) {
  case optimiser_kind::sgd:
    if (first_state.empty())
      return plain({options, step}, gradients.data(), to, count);
    return momentum({options, step}, gradients.data(), first, to, count);
  case optimiser_kind::adam:
  case optimiser_kind::adamw:
    return adam({options, step}, gradients.data(), first, second, to, count);
  case optimiser_kind::adadelta:
    return adadelta({options, step}, gradients.data(), first, second, to, count);
  }
}

} // namespace troupe::kernels::onednn
