// Rounding to the types of mixed precision, in arrays that stay float32.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels {

// Each element to the nearest value of the type, of two that are as near the even one; what is too
// large becomes infinite. The arrays have the same size, or are the same.
void round_to(precision type, view from, mutable_view to);

} // namespace troupe::kernels
