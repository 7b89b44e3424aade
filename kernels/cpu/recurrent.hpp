// What LSTM and GRU share: one sample after the other, step by step, then all the way back.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels::cpu {

// One step of one sample.
struct moment {
  std::vector<double> from_input;  // weight_ih * input + bias_ih, gate after gate
  std::vector<double> from_hidden; // weight_hh * hidden before + bias_hh
  std::vector<double> hidden_before;
  std::vector<double> hidden;
  std::vector<double> cell_before; // of an LSTM
  std::vector<double> cell;
};

// Gradients at one step, on the way back.
struct moment_slopes {
  std::vector<double> hidden; // of the result; becomes that of what was before, without products
  std::vector<double> cell;   // likewise
  std::vector<double> from_input;
  std::vector<double> from_hidden;
};

class recurrent : public op {
public:
  recurrent(op_shapes shapes, const recurrent_options& options, precision products);

protected:
  // For element i: computes `hidden` and `cell` of the moment, and the gradients.
  virtual void step(moment& now, size_t i) const = 0;
  virtual void back(const moment& now, moment_slopes& slopes, size_t i) const = 0;

  size_t hidden() const { return options_.hidden; }

private:
  result<void> run_forward(const pass& in, view input, view parameters,
                           mutable_view output) override;
  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override;

  // Step t of sample n.
  moment& at(size_t n, size_t t) { return moments_[n * steps_ + t]; }
  void advance(size_t n, size_t t, view input, view parameters);
  void add_gradients(size_t n, size_t t, view input, moment_slopes& slopes, view parameters,
                     std::vector<double>& input_sums, std::vector<double>& sums) const;
  void round(std::vector<double>& values) const;

  recurrent_options options_;
  precision products_;
  size_t steps_;
  size_t features_;
  size_t rows_; // of the weights: gates times hidden
  std::vector<moment> moments_;
};

} // namespace troupe::kernels::cpu
