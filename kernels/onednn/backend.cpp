#include "kernels/cpu/cpu.hpp"
#include "kernels/onednn/onednn.hpp"
#include "kernels/onednn/session.hpp"
#include "kernels/shapes.hpp"

namespace troupe::kernels::onednn {

namespace {

class onednn_backend final : public backend {
public:
  std::string_view name() const override { return "onednn"; }

  result<std::unique_ptr<op>> conv2d(const shape& input,
                                     const conv2d_options& options) const override {
    auto shapes = conv2d_shapes(input, options);
    TROUPE_TRY(shapes);
    return make_conv2d(*shapes, options);
  }

  result<std::unique_ptr<op>> max_pool2d(const shape& input,
                                         const max_pool2d_options& options) const override {
    auto shapes = max_pool2d_shapes(input, options);
    TROUPE_TRY(shapes);
    return make_max_pool2d(*shapes, options);
  }

  result<std::unique_ptr<op>> dense(const shape& input, size_t features) const override {
    auto shapes = dense_shapes(input, features);
    TROUPE_TRY(shapes);
    return make_dense(*shapes);
  }

  result<std::unique_ptr<op>> relu(const shape& input) const override {
    auto shapes = relu_shapes(input);
    TROUPE_TRY(shapes);
    return make_relu(*shapes);
  }

  result<std::unique_ptr<loss>> softmax_cross_entropy(const shape& logits) const override {
    TROUPE_TRY(check_logits(logits));
    return make_softmax_cross_entropy(logits);
  }

  // oneDNN has no optimiser, and the plain loop already runs at the speed of memory.
  void sgd(const sgd_options& options, view gradients, mutable_view velocity,
           mutable_view parameters) const override {
    cpu::sgd(options, gradients, velocity, parameters);
  }
};

} // namespace

result<std::unique_ptr<backend>> make_backend() {
  return guarded("making an engine", []() -> result<std::unique_ptr<backend>> {
    session probe;
    return std::make_unique<onednn_backend>();
  });
}

} // namespace troupe::kernels::onednn
