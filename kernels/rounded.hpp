// An op whose operands and results are rounded to a shorter type, as mixed precision has them.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels {

// The op itself where nothing is rounded.
result<std::unique_ptr<op>> rounded(result<std::unique_ptr<op>> made, precision type);

} // namespace troupe::kernels
