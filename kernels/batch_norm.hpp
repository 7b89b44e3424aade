// What batch normalisations of all backends share: the statistics, of the batch and running.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels {

class batch_norm_op : public op {
public:
  batch_norm_op(op_shapes shapes, const batch_norm_options& options);

  mutable_view statistics() override { return running_; }

protected:
  size_t channels() const { return input_shape()[1]; }
  size_t plane() const { return input_row() / channels(); }         // elements that lie together
  size_t count() const { return input_shape()[0] * plane(); }       // elements of a channel
  float mean(size_t channel) const { return used_[channel]; }       // that apply() takes off
  float inverse(size_t channel) const { return inverse_[channel]; } // of the standard deviation
  const float* means() const { return used_.data(); }

  // Tells the mean and the biased variance of a channel of this batch.
  void set_batch(size_t channel, float mean, float variance);

private:
  // Calls set_batch() for each channel.
  virtual void measure(view input) = 0;
  virtual void apply(view input, view parameters, mutable_view output) = 0;
  virtual void differentiate(bool training, view input, view parameters, view output_gradient,
                             mutable_view input_gradient, mutable_view parameter_gradient)
    = 0;

  result<void> run_forward(const pass& in, view input, view parameters,
                           mutable_view output) override;
  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override;

  batch_norm_options options_;
  bool training_ = true;       // in the last forward
  std::vector<float> running_; // means, then variances
  std::vector<float> used_;    // means
  std::vector<float> inverse_;
};

} // namespace troupe::kernels
