#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

namespace troupe::kernels::onednn {

namespace {

using forward_pass = dnnl::convolution_forward;
using data_pass = dnnl::convolution_backward_data;
using weights_pass = dnnl::convolution_backward_weights;

// The gradient before relu, from that after it and relu's result.
TROUPE_VECTORISED void mask(const float* results, float* slopes, size_t count) {
  for (size_t i = 0; i < count; ++i)
    slopes[i] = results[i] > 0 ? slopes[i] : 0;
}

dnnl::primitive_attr with_relu(bool wanted) {
  dnnl::primitive_attr attributes;
  if (wanted) {
    dnnl::post_ops after;
    after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    attributes.set_post_ops(after);
  }
  return attributes;
}

class conv2d final : public op {
public:
  conv2d(op_shapes shapes, const conv2d_options& options)
    : op(std::move(shapes)), relu_(options.relu) {
    // Direct, not the fastest of all: Winograd's sums differ by shape and cost accuracy.
    const auto how = dnnl::algorithm::convolution_direct;
    const auto& engine = session_.engine();
    const shape filter{options.channels, input_shape()[1], options.kernel, options.kernel};
    const auto in = any_desc(input_shape());
    const auto weights = any_desc(filter);
    const auto bias = plain_desc({options.channels});
    const auto out = any_desc(output_shape());
    const auto stride = square(options.stride);
    const auto before = square(options.padding);
    // oneDNN wants the output's extent to be exact: what no window reaches is padding taken away.
    dnnl::memory::dims after(2);
    for (size_t i = 0; i < 2; ++i)
      after[i] = static_cast<dnnl::memory::dim>((output_shape()[2 + i] - 1) * options.stride
                                                + options.kernel)
                 - static_cast<dnnl::memory::dim>(input_shape()[2 + i] + options.padding);
    forward_pass::primitive_desc forward(
      {dnnl::prop_kind::forward_training, how, in, weights, bias, out, stride, before, after},
      with_relu(relu_), engine);
    // The way back takes the layout of the way there: the result tells where relu passed, and the
    // gradient is brought into that layout once.
    const auto inner = forward.dst_desc();
    data_pass::primitive_desc data({how, in, weights, inner, stride, before, after}, engine,
                                   forward);
    weights_pass::primitive_desc update({how, in, weights, bias, inner, stride, before, after},
                                        engine, forward);
    forward_ = forward_pass(forward);
    data_ = data_pass(data);
    update_ = weights_pass(update);

    const auto plain_in = plain_desc(input_shape());
    const auto plain_filter = plain_desc(filter);
    const auto plain_out = plain_desc(output_shape());
    input_ = operand(session_, plain_in, forward.src_desc());
    weights_ = operand(session_, plain_filter, forward.weights_desc());
    bias_ = operand(session_, bias, forward.bias_desc());
    result_ = dnnl::memory(inner, engine);
    slope_ = dnnl::memory(inner, engine);
    outside_ = dnnl::memory(plain_out, engine, DNNL_MEMORY_NONE);
    same_input_ = update.src_desc() == forward.src_desc();
    data_weights_ = operand(session_, plain_filter, data.weights_desc());
    input_gradient_ = operand(session_, plain_in, data.diff_src_desc());
    update_input_ = operand(session_, plain_in, update.src_desc());
    weights_gradient_ = operand(session_, plain_filter, update.diff_weights_desc());
    bias_gradient_ = operand(session_, bias, update.diff_bias_desc());
  }

private:
  result<void> run_forward(const pass&, view input, view weights, mutable_view output) override {
    return guarded("conv2d", [&]() -> result<void> {
      session_.run(forward_, {{DNNL_ARG_SRC, input_.load(session_, input.data())},
                              {DNNL_ARG_WEIGHTS, weights_.load(session_, weights.data())},
                              {DNNL_ARG_BIAS, bias_.load(session_, weights.data() + offset_of(1))},
                              {DNNL_ARG_DST, result_}});
      outside_.set_data_handle(output.data());
      session_.reorder(result_, outside_);
      return {};
    });
  }

  result<void> run_backward(view input, view weights, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    return guarded("the gradient of conv2d", [&]() -> result<void> {
      // oneDNN has no read-only memory; nothing writes to it.
      outside_.set_data_handle(const_cast<float*>(output_gradient.data()));
      session_.reorder(outside_, slope_);
      if (relu_)
        mask(static_cast<const float*>(result_.get_data_handle()),
             static_cast<float*>(slope_.get_data_handle()),
             slope_.get_desc().get_size() / sizeof(float));
      auto* bias = parameter_gradient.data() + offset_of(1);
      auto& source
        = same_input_ ? input_.reload(input.data()) : update_input_.load(session_, input.data());
      session_.run(update_,
                   {{DNNL_ARG_SRC, source},
                    {DNNL_ARG_DIFF_DST, slope_},
                    {DNNL_ARG_DIFF_WEIGHTS, weights_gradient_.target(parameter_gradient.data())},
                    {DNNL_ARG_DIFF_BIAS, bias_gradient_.target(bias)}});
      weights_gradient_.store(session_);
      bias_gradient_.store(session_);
      if (input_gradient.empty())
        return {};
      session_.run(data_, {{DNNL_ARG_DIFF_DST, slope_},
                           {DNNL_ARG_WEIGHTS, data_weights_.load(session_, weights.data())},
                           {DNNL_ARG_DIFF_SRC, input_gradient_.target(input_gradient.data())}});
      input_gradient_.store(session_);
      return {};
    });
  }

  session session_;
  forward_pass forward_;
  data_pass data_;
  weights_pass update_;
  operand input_;
  operand weights_;
  operand bias_;
  dnnl::memory result_;  // of the last forward, in oneDNN's layout
  dnnl::memory slope_;   // its gradient, in the same
  dnnl::memory outside_; // either of them in ours
  bool relu_;
  bool same_input_ = false; // both ways want it in the same layout
  operand data_weights_;
  operand input_gradient_;
  operand update_input_;
  operand weights_gradient_;
  operand bias_gradient_;
};

} // namespace

result<std::unique_ptr<op>> make_conv2d(op_shapes shapes, const conv2d_options& options) {
  return guarded("making conv2d", [&]() -> result<std::unique_ptr<op>> {
    return std::make_unique<conv2d>(std::move(shapes), options);
  });
}

} // namespace troupe::kernels::onednn
