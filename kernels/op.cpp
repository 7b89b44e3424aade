#include "kernels/op.hpp"

#include <algorithm>

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
    output_size_(elements(shapes_.output)), offsets_{0} {
  for (const auto& each : shapes_.parameters)
    offsets_.push_back(offsets_.back() + elements(each.extents));
}

result<void> op::forward(const pass& in, view input, view parameters, mutable_view output) {
  TROUPE_ASSERT(input.size() == input_size_);
  TROUPE_ASSERT(parameters.size() == parameter_count());
  TROUPE_ASSERT(output.size() == output_size_);
  return run_forward(in, input, parameters, output);
}

result<void> op::backward(view input, view parameters, view output_gradient,
                          mutable_view input_gradient, mutable_view parameter_gradient) {
  TROUPE_ASSERT(input.size() == input_size_);
  TROUPE_ASSERT(parameters.size() == parameter_count());
  TROUPE_ASSERT(output_gradient.size() == output_size_);
  TROUPE_ASSERT(input_gradient.empty() || input_gradient.size() == input_size_);
  TROUPE_ASSERT(parameter_gradient.size() == parameter_count());
  return run_backward(input, parameters, output_gradient, input_gradient, parameter_gradient);
}

loss::loss(loss_shapes shapes) : shapes_(std::move(shapes)) {}

void loss::clear(mutable_view part) {
  std::fill(part.begin(), part.end(), 0.0F);
}

result<float> loss::run(view outputs, view targets, size_t valid, float scale,
                        mutable_view gradient) {
  auto rows = shapes_.outputs[0];
  auto target_row = elements(shapes_.targets) / rows;
  TROUPE_ASSERT(outputs.size() == rows * row());
  TROUPE_ASSERT(targets.size() == rows * target_row);
  TROUPE_ASSERT(gradient.size() == outputs.size());
  TROUPE_ASSERT(valid <= rows);
  auto counted = valid * row();
  clear(gradient.subspan(counted));
  return run_valid(outputs.first(counted), targets.first(valid * target_row), scale,
                   gradient.first(counted));
}

} // namespace troupe::kernels
