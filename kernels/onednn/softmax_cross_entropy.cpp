#include "kernels/onednn/session.hpp"

#include <cmath>

namespace troupe::kernels::onednn {

namespace {

class softmax_cross_entropy final : public loss {
public:
  explicit softmax_cross_entropy(const shape& logits)
    : loss(logits), logarithms_(elements(logits)) {
    const auto rows = plain_desc(logits);
    dnnl::logsoftmax_forward::primitive_desc forward({dnnl::prop_kind::forward_training, rows, 1},
                                                     session_.engine());
    forward_ = dnnl::logsoftmax_forward(forward);
    logits_ = operand(session_, rows, rows);
    output_ = operand(session_, rows, rows);
  }

private:
  result<float> run_checked(view logits, std::span<const uint8_t> labels,
                            mutable_view gradient) override {
    return guarded("softmax_cross_entropy", [&]() -> result<float> {
      session_.run(forward_, {{DNNL_ARG_SRC, logits_.load(session_, logits.data())},
                              {DNNL_ARG_DST, output_.target(logarithms_.data())}});
      auto batch = logits_shape()[0];
      auto classes = logits_shape()[1];
      auto scale = 1.0F / static_cast<float>(batch);
      double total = 0;
      for (size_t n = 0; n < batch; ++n) {
        auto wanted = n * classes + labels[n];
        total -= logarithms_[wanted];
        for (size_t i = n * classes; i < (n + 1) * classes; ++i)
          gradient[i] = std::exp(logarithms_[i]) * scale;
        gradient[wanted] -= scale;
      }
      return static_cast<float>(total / static_cast<double>(batch));
    });
  }

  session session_;
  std::vector<float> logarithms_; // of the probabilities
  dnnl::logsoftmax_forward forward_;
  operand logits_;
  operand output_;
};

} // namespace

result<std::unique_ptr<loss>> make_softmax_cross_entropy(const shape& logits) {
  return guarded("making softmax_cross_entropy", [&]() -> result<std::unique_ptr<loss>> {
    return std::make_unique<softmax_cross_entropy>(logits);
  });
}

} // namespace troupe::kernels::onednn
