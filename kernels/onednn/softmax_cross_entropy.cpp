#include "kernels/onednn/session.hpp"
#include "kernels/shapes.hpp"

#include <cmath>

namespace troupe::kernels::onednn {

namespace {

class softmax_cross_entropy final : public loss {
public:
  explicit softmax_cross_entropy(loss_shapes shapes)
    : loss(std::move(shapes)), logarithms_(elements(output_shape())) {
    auto classes = output_shape().back();
    const auto rows = plain_desc({logarithms_.size() / classes, classes});
    dnnl::logsoftmax_forward::primitive_desc forward({dnnl::prop_kind::forward_training, rows, 1},
                                                     session_.engine());
    forward_ = dnnl::logsoftmax_forward(forward);
    logits_ = operand(session_, rows, rows);
    output_ = operand(session_, rows, rows);
  }

private:
  result<float> run_valid(view logits, view labels, float scale, mutable_view gradient) override {
    auto classes = output_shape().back();
    TROUPE_TRY(check_ids("the label", labels, classes));
    return guarded("softmax_cross_entropy", [&]() -> result<float> {
      session_.run(forward_, {{DNNL_ARG_SRC, logits_.load(session_, logits.data())},
                              {DNNL_ARG_DST, output_.target(logarithms_.data())}});
      auto per_row = row() / classes;
      auto each = scale / static_cast<float>(per_row);
      double total = 0;
      for (size_t n = 0; n < labels.size(); ++n) {
        auto wanted = n * classes + static_cast<size_t>(labels[n]);
        total -= logarithms_[wanted];
        for (size_t i = n * classes; i < (n + 1) * classes; ++i)
          gradient[i] = std::exp(logarithms_[i]) * each;
        gradient[wanted] -= each;
      }
      return static_cast<float>(total / static_cast<double>(per_row));
    });
  }

  session session_;
  std::vector<float> logarithms_; // of the probabilities
  dnnl::logsoftmax_forward forward_;
  operand logits_;
  operand output_;
};

} // namespace

result<std::unique_ptr<loss>> make_softmax_cross_entropy(loss_shapes shapes) {
  return guarded("making softmax_cross_entropy", [&]() -> result<std::unique_ptr<loss>> {
    return std::make_unique<softmax_cross_entropy>(std::move(shapes));
  });
}

} // namespace troupe::kernels::onednn
