#include "kernels/onednn/session.hpp"

namespace troupe::kernels::onednn {

namespace {

class pool2d final : public op {
public:
  pool2d(op_shapes shapes, const pool2d_options& options, dnnl::algorithm how)
    : op(std::move(shapes)) {
    const auto& engine = session_.engine();
    const auto in = plain_desc(input_shape());
    const auto out = plain_desc(output_shape());
    const auto stride = square(options.stride);
    const auto kernel = square(options.kernel);
    // oneDNN wants the output's extent to be exact: what no window reaches is padding taken away.
    dnnl::memory::dims after(2);
    for (size_t i = 0; i < 2; ++i)
      after[i] = static_cast<dnnl::memory::dim>((output_shape()[2 + i] - 1) * options.stride
                                                + options.kernel)
                 - static_cast<dnnl::memory::dim>(input_shape()[2 + i]);
    dnnl::pooling_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, how, in, out, stride, kernel, square(0), after}, engine);
    dnnl::pooling_backward::primitive_desc backward(
      {how, in, out, stride, kernel, square(0), after}, engine, forward);
    forward_ = dnnl::pooling_forward(forward);
    backward_ = dnnl::pooling_backward(backward);
    winners_ = dnnl::memory(forward.workspace_desc(), engine); // empty where there are none
    input_ = operand(session_, in, in);
    output_ = operand(session_, out, out);
  }

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    return guarded("a pool", [&]() -> result<void> {
      session_.run(forward_, {{DNNL_ARG_SRC, input_.load(session_, input.data())},
                              {DNNL_ARG_DST, output_.target(output.data())},
                              {DNNL_ARG_WORKSPACE, winners_}});
      return {};
    });
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    if (input_gradient.empty())
      return {};
    return guarded("the gradient of a pool", [&]() -> result<void> {
      session_.run(backward_, {{DNNL_ARG_DIFF_DST, output_.load(session_, output_gradient.data())},
                               {DNNL_ARG_DIFF_SRC, input_.target(input_gradient.data())},
                               {DNNL_ARG_WORKSPACE, winners_}});
      return {};
    });
  }

  session session_;
  dnnl::pooling_forward forward_;
  dnnl::pooling_backward backward_;
  dnnl::memory winners_; // of the last forward
  operand input_;
  operand output_;
};

} // namespace

result<std::unique_ptr<op>> make_max_pool2d(op_shapes shapes, const pool2d_options& options) {
  return guarded("making max_pool2d", [&]() -> result<std::unique_ptr<op>> {
    return std::make_unique<pool2d>(std::move(shapes), options, dnnl::algorithm::pooling_max);
  });
}

result<std::unique_ptr<op>> make_avg_pool2d(op_shapes shapes, const pool2d_options& options) {
  return guarded("making avg_pool2d", [&]() -> result<std::unique_ptr<op>> {
    // No window reaches padding: to include or exclude it is the same.
    const auto how = dnnl::algorithm::pooling_avg_include_padding;
    return std::make_unique<pool2d>(std::move(shapes), options, how);
  });
}

} // namespace troupe::kernels::onednn
