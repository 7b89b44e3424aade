#include "kernels/op.hpp"

namespace troupe::kernels {

size_t elements(const shape& extents) {
  size_t product = 1;
  for (auto extent : extents)
    product *= extent;
  return product;
}

std::string to_string(const shape& extents) {
  std::string text = "{";
  for (auto extent : extents) {
    if (text.size() > 1)
      text += ", ";
    text += std::to_string(extent);
  }
  return text + "}";
}

op::op(op_shapes shapes)
  : shapes_(std::move(shapes)), input_size_(elements(shapes_.input)),
    output_size_(elements(shapes_.output)) {}

result<void> op::forward(view input, view parameters, mutable_view output) {
  TROUPE_ASSERT(input.size() == input_size_);
  TROUPE_ASSERT(parameters.size() == shapes_.parameters.count());
  TROUPE_ASSERT(output.size() == output_size_);
  return run_forward(input, parameters, output);
}

result<void> op::backward(view input, view parameters, view output_gradient,
                          mutable_view input_gradient, mutable_view parameter_gradient) {
  TROUPE_ASSERT(input.size() == input_size_);
  TROUPE_ASSERT(parameters.size() == shapes_.parameters.count());
  TROUPE_ASSERT(output_gradient.size() == output_size_);
  TROUPE_ASSERT(input_gradient.empty() || input_gradient.size() == input_size_);
  TROUPE_ASSERT(parameter_gradient.size() == shapes_.parameters.count());
  return run_backward(input, parameters, output_gradient, input_gradient, parameter_gradient);
}

loss::loss(shape logits) : logits_(std::move(logits)) {}

result<float> loss::run(view logits, std::span<const uint8_t> labels, mutable_view gradient) {
  auto batch = logits_[0];
  auto classes = logits_[1];
  TROUPE_ASSERT(logits.size() == batch * classes);
  TROUPE_ASSERT(labels.size() == batch);
  TROUPE_ASSERT(gradient.size() == logits.size());
  for (auto label : labels) {
    if (label >= classes)
      return {errc::invalid, "label " + std::to_string(label)
                               + " is not below the number of classes, " + std::to_string(classes)
                               + ": give the network more outputs."};
  }
  return run_checked(logits, labels, gradient);
}

} // namespace troupe::kernels
