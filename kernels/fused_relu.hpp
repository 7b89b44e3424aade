// max(x, 0) of an op's result, done by the op itself.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels {

class fused_relu {
public:
  // Does nothing where it is not wanted.
  fused_relu(bool wanted, size_t size)
    : wanted_(wanted), passed_(wanted ? size : 0), masked_(passed_.size()) {}

  void forward(mutable_view output) {
    if (!wanted_)
      return;
    for (size_t i = 0; i < output.size(); ++i) {
      passed_[i] = output[i] > 0 ? 1.0F : 0.0F;
      output[i] = output[i] > 0 ? output[i] : 0;
    }
  }

  // The gradient of what the op computed before; valid until the next call.
  view backward(view output_gradient) {
    if (!wanted_)
      return output_gradient;
    for (size_t i = 0; i < passed_.size(); ++i)
      masked_[i] = passed_[i] * output_gradient[i];
    return masked_;
  }

private:
  bool wanted_;
  std::vector<float> passed_; // 1 where the gradient passes, or else 0
  std::vector<float> masked_;
};

} // namespace troupe::kernels
