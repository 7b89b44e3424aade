// The element-wise arithmetic of reductions.
//
// Each element is computed from its inputs in the order of the calls, without reassociation: equal
// inputs give equal bits. A NaN spreads through sum and mean; with min and max the result for that
// element depends on the order of the ranks, which is fixed.
// Threads: pure functions.
#pragma once

#include "kernels/collective/collective.hpp"

#include <cstddef>

namespace troupe::collective {

// into[i] = into[i] (how) from[i]. A mean is added up here and divided at the end. No overlap.
void combine(float* into, const float* from, size_t count, reduction how);

// The last step: divides a mean by the number of ranks; the other reductions are finished already.
void finish(float* data, size_t count, reduction how, uint32_t ranks);

} // namespace troupe::collective
