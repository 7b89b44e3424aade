// What LSTM and GRU share: the products, each over as many rows as there can be. Those with the
// input take all steps at once, those of the weights' gradients too; only that with the state is
// done step by step. Rows lie in the order of time: a step's rows are together.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels::onednn {

// Of one step; each array has a row for each sample of the batch.
struct step_forward {
  float* gates;             // in: the products with the input; out: what step_backward needs
  const float* from_hidden; // the products with the state
  const float* bias_input;  // one row
  const float* bias_hidden; // one row
  const float* before;      // the state
  float* after;
  float* kept; // the second state of an LSTM; for a GRU, what back() needs
  const float* kept_before;
};

struct step_backward {
  const float* gates;
  const float* before;
  const float* kept;
  const float* kept_before;
  float* hidden;      // in: the gradient of the state after; out: of the one before, less products
  float* cell;        // likewise of an LSTM's second state
  float* from_input;  // out: gradients of the products
  float* from_hidden; // the same array where they are equal
};

class recurrent : public op {
public:
  // `shared`: the gradients of both kinds of products are equal.
  recurrent(op_shapes shapes, const recurrent_options& options, precision products, bool shared);

protected:
  // One sample.
  virtual void step(const step_forward& at, size_t hidden) const = 0;
  virtual void back(const step_backward& at, size_t hidden) const = 0;

private:
  result<void> run_forward(const pass& in, view input, view parameters,
                           mutable_view output) override;
  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override;

  result<void> forward_step(size_t t, view parameters);
  result<void> backward_step(size_t t, view parameters, view output_gradient);
  void take_gradient(size_t t, view output_gradient);
  result<void> weight_gradients(mutable_view parameter_gradient);
  result<void> back_to_input(view parameters, mutable_view input_gradient);

  recurrent_options options_;
  precision products_;
  bool shared_;
  size_t batch_, steps_, features_, hidden_, gates_;

  // In the order of time; states begin with the one before the first step.
  std::vector<float> inputs_;
  std::vector<float> sums_; // gates
  std::vector<float> states_;
  std::vector<float> kept_;
  std::vector<float> input_slopes_;  // of the products with the input
  std::vector<float> hidden_slopes_; // of those with the state, where they differ
  // Of one step.
  std::vector<float> from_hidden_;
  std::vector<float> state_slope_;
  std::vector<float> cell_slope_;
};

} // namespace troupe::kernels::onednn
