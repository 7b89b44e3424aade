// Products of dense matrices in row-major order, on the calling thread.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels::onednn {

struct matrix {
  const float* data;
  size_t columns; // as it lies in memory
  bool transposed = false;
};

// to{m, n} = kept * to + a{m, k} * b{k, n}, these extents after transposing. The memory of `to` has
// n columns.
// Errors: internal, when oneDNN refuses.
result<void> multiply(size_t m, size_t n, size_t k, const matrix& a, const matrix& b, float kept,
                      float* to);

} // namespace troupe::kernels::onednn
