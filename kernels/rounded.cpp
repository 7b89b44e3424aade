#include "kernels/rounded.hpp"

#include "kernels/precision.hpp"

namespace troupe::kernels {

namespace {

class rounded_op final : public op {
public:
  rounded_op(std::unique_ptr<op> exact, precision type)
    : op({exact->input_shape(), exact->output_shape(), exact->parameters()}),
      exact_(std::move(exact)), type_(type), input_(elements(input_shape())),
      parameters_(parameter_count()), slope_(elements(output_shape())) {}

private:
  result<void> run_forward(const pass& in, view input, view parameters,
                           mutable_view output) override {
    round_to(type_, input, input_);
    round_to(type_, parameters, parameters_);
    TROUPE_TRY(exact_->forward(in, input_, parameters_, output));
    round_to(type_, output, output);
    return {};
  }

  // The operands are those of the last forward.
  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view parameter_gradient) override {
    round_to(type_, output_gradient, slope_);
    TROUPE_TRY(exact_->backward(input_, parameters_, slope_, input_gradient, parameter_gradient));
    round_to(type_, input_gradient, input_gradient);
    round_to(type_, parameter_gradient, parameter_gradient);
    return {};
  }

  std::unique_ptr<op> exact_;
  precision type_;
  std::vector<float> input_; // rounded, as all of these
  std::vector<float> parameters_;
  std::vector<float> slope_;
};

} // namespace

result<std::unique_ptr<op>> rounded(result<std::unique_ptr<op>> made, precision type) {
  if (!made || type == precision::f32)
    return made;
  return std::make_unique<rounded_op>(*std::move(made), type);
}

} // namespace troupe::kernels
