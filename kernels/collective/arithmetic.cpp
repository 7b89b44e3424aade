#include "kernels/collective/arithmetic.hpp"

namespace troupe::collective {

void combine(float* __restrict into, const float* __restrict from, size_t count, reduction how) {
  switch (how) {
  case reduction::sum:
  case reduction::mean:
    for (size_t i = 0; i < count; ++i)
      into[i] += from[i];
    break;
  case reduction::min:
    for (size_t i = 0; i < count; ++i)
      into[i] = from[i] < into[i] ? from[i] : into[i];
    break;
  case reduction::max:
    for (size_t i = 0; i < count; ++i)
      into[i] = from[i] > into[i] ? from[i] : into[i];
    break;
  }
}

void finish(float* data, size_t count, reduction how, uint32_t ranks) {
  if (how != reduction::mean)
    return;
  auto divisor = static_cast<float>(ranks);
  for (size_t i = 0; i < count; ++i)
    data[i] /= divisor;
}

} // namespace troupe::collective
