#include "kernels/onednn/product.hpp"

#include "kernels/onednn/session.hpp"

namespace troupe::kernels::onednn {

result<void> multiply(size_t m, size_t n, size_t k, const matrix& a, const matrix& b, float kept,
                      float* to) {
  auto letter = [](const matrix& of) { return of.transposed ? 'T' : 'N'; };
  auto signed_of = [](size_t x) { return static_cast<dnnl_dim_t>(x); };
  one_thread();
  auto status
    = dnnl_sgemm(letter(a), letter(b), signed_of(m), signed_of(n), signed_of(k), 1.0F, a.data,
                 signed_of(a.columns), b.data, signed_of(b.columns), kept, to, signed_of(n));
  if (status != dnnl_success)
    return {errc::internal, "oneDNN failed in a product of matrices: use the cpu backend."};
  return {};
}

} // namespace troupe::kernels::onednn
