#include "kernels/batch_norm.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::kernels {

batch_norm_op::batch_norm_op(op_shapes shapes, const batch_norm_options& options)
  : op(std::move(shapes)), options_(options), running_(2 * input_shape()[1]),
    used_(input_shape()[1]), inverse_(input_shape()[1]) {
  std::fill(running_.begin() + static_cast<std::ptrdiff_t>(channels()), running_.end(), 1.0F);
}

void batch_norm_op::set_batch(size_t channel, float mean, float variance) {
  used_[channel] = mean;
  inverse_[channel] = 1 / std::sqrt(variance + options_.epsilon);
  auto whole = static_cast<float>(count());
  auto move = [this](float& running, float to) { running += options_.momentum * (to - running); };
  move(running_[channel], mean);
  move(running_[channels() + channel], variance * whole / (whole - 1));
}

result<void> batch_norm_op::run_forward(const pass& in, view input, view parameters,
                                        mutable_view output) {
  training_ = in.training;
  if (training_ && count() == 1)
    return {errc::invalid, "batch_norm cannot learn from one value of each channel, as in "
                             + to_string(input_shape()) + ": use a larger batch, or layer_norm."};
  if (training_)
    measure(input);
  for (size_t c = 0; !training_ && c < channels(); ++c) {
    used_[c] = running_[c];
    inverse_[c] = 1 / std::sqrt(running_[channels() + c] + options_.epsilon);
  }
  apply(input, parameters, output);
  return {};
}

result<void> batch_norm_op::run_backward(view input, view parameters, view output_gradient,
                                         mutable_view input_gradient,
                                         mutable_view parameter_gradient) {
  differentiate(training_, input, parameters, output_gradient, input_gradient, parameter_gradient);
  return {};
}

} // namespace troupe::kernels
