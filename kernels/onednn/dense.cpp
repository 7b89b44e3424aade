#include "kernels/fused_relu.hpp"
#include "kernels/onednn/session.hpp"

namespace troupe::kernels::onednn {

namespace {

using forward_pass = dnnl::inner_product_forward;
using data_pass = dnnl::inner_product_backward_data;
using weights_pass = dnnl::inner_product_backward_weights;

class dense final : public op {
public:
  dense(op_shapes shapes, const dense_options& options)
    : op(std::move(shapes)), relu_(options.relu, elements(output_shape())) {
    const auto& engine = session_.engine();
    const shape in{output_shape()[0], input_row()};
    const shape matrix{output_shape()[1], input_row()};
    const auto plain_in = plain_desc(in);
    const auto plain_matrix = plain_desc(matrix);
    const auto bias = plain_desc({output_shape()[1]});
    const auto out = plain_desc(output_shape());
    // The weights only are packed: rows stay as they come.
    forward_pass::primitive_desc forward(
      {dnnl::prop_kind::forward_training, plain_in, any_desc(matrix), bias, out}, engine);
    data_pass::primitive_desc data({plain_in, any_desc(matrix), out}, engine, forward);
    weights_pass::primitive_desc update({plain_in, any_desc(matrix), bias, out}, engine, forward);
    forward_ = forward_pass(forward);
    data_ = data_pass(data);
    update_ = weights_pass(update);
    input_ = operand(session_, plain_in, plain_in);
    output_ = operand(session_, out, out);
    bias_ = operand(session_, bias, bias);
    weights_ = operand(session_, plain_matrix, forward.weights_desc());
    data_weights_ = operand(session_, plain_matrix, data.weights_desc());
    weights_gradient_ = operand(session_, plain_matrix, update.diff_weights_desc());
  }

private:
  result<void> run_forward(const pass&, view input, view weights, mutable_view output) override {
    return guarded("dense", [&]() -> result<void> {
      session_.run(forward_, {{DNNL_ARG_SRC, input_.load(session_, input.data())},
                              {DNNL_ARG_WEIGHTS, weights_.load(session_, weights.data())},
                              {DNNL_ARG_BIAS, bias_.load(session_, weights.data() + offset_of(1))},
                              {DNNL_ARG_DST, output_.target(output.data())}});
      relu_.forward(output);
      return {};
    });
  }

  result<void> run_backward(view input, view weights, view gradient, mutable_view input_gradient,
                            mutable_view parameter_gradient) override {
    auto output_gradient = relu_.backward(gradient);
    return guarded("the gradient of dense", [&]() -> result<void> {
      auto* bias = parameter_gradient.data() + offset_of(1);
      session_.run(update_,
                   {{DNNL_ARG_SRC, input_.load(session_, input.data())},
                    {DNNL_ARG_DIFF_DST, output_.load(session_, output_gradient.data())},
                    {DNNL_ARG_DIFF_WEIGHTS, weights_gradient_.target(parameter_gradient.data())},
                    {DNNL_ARG_DIFF_BIAS, bias_.target(bias)}});
      weights_gradient_.store(session_);
      if (input_gradient.empty())
        return {};
      session_.run(data_, {{DNNL_ARG_DIFF_DST, output_.load(session_, output_gradient.data())},
                           {DNNL_ARG_WEIGHTS, data_weights_.load(session_, weights.data())},
                           {DNNL_ARG_DIFF_SRC, input_.target(input_gradient.data())}});
      return {};
    });
  }

  session session_;
  forward_pass forward_;
  data_pass data_;
  weights_pass update_;
  operand input_;
  operand output_;
  operand bias_;
  operand weights_;
  operand data_weights_;
  operand weights_gradient_;
  fused_relu relu_;
};

} // namespace

result<std::unique_ptr<op>> make_dense(op_shapes shapes, const dense_options& options) {
  return guarded("making dense", [&]() -> result<std::unique_ptr<op>> {
    return std::make_unique<dense>(std::move(shapes), options);
  });
}

} // namespace troupe::kernels::onednn
