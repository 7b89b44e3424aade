#include "kernels/onednn/session.hpp"

namespace troupe::kernels::onednn {

namespace {

class relu final : public op {
public:
  explicit relu(op_shapes shapes) : op(std::move(shapes)) {
    const auto how = dnnl::algorithm::eltwise_relu;
    const auto& engine = session_.engine();
    // One long row: the shape does not matter.
    const auto row = plain_desc({elements(input_shape())});
    dnnl::eltwise_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, how, row, 0.0F, 0.0F}, engine);
    dnnl::eltwise_backward::primitive_desc backward({how, row, row, 0.0F, 0.0F}, engine, forward);
    forward_ = dnnl::eltwise_forward(forward);
    backward_ = dnnl::eltwise_backward(backward);
    input_ = operand(session_, row, row);
    output_ = operand(session_, row, row);
    gradient_ = operand(session_, row, row);
  }

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    return guarded("relu", [&]() -> result<void> {
      session_.run(forward_, {{DNNL_ARG_SRC, input_.load(session_, input.data())},
                              {DNNL_ARG_DST, output_.target(output.data())}});
      return {};
    });
  }

  result<void> run_backward(view input, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    if (input_gradient.empty())
      return {};
    return guarded("the gradient of relu", [&]() -> result<void> {
      session_.run(backward_, {{DNNL_ARG_SRC, input_.load(session_, input.data())},
                               {DNNL_ARG_DIFF_DST, output_.load(session_, output_gradient.data())},
                               {DNNL_ARG_DIFF_SRC, gradient_.target(input_gradient.data())}});
      return {};
    });
  }

  session session_;
  dnnl::eltwise_forward forward_;
  dnnl::eltwise_backward backward_;
  operand input_;
  operand output_;
  operand gradient_;
};

} // namespace

result<std::unique_ptr<op>> make_relu(op_shapes shapes) {
  return guarded("making relu", [&]() -> result<std::unique_ptr<op>> {
    return std::make_unique<relu>(std::move(shapes));
  });
}

} // namespace troupe::kernels::onednn
