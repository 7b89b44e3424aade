#include "kernels/cpu/cpu.hpp"

#include <algorithm>

namespace troupe::kernels::cpu {

namespace {

class pool2d : public op {
public:
  pool2d(op_shapes shapes, const pool2d_options& options)
    : op(std::move(shapes)), options_(options) {}

protected:
  // Calls visit(output index, index of the window's upper left input).
  template <class Visit>
  void each_window(Visit visit) const {
    const auto& in = input_shape();
    const auto& out = output_shape();
    size_t index = 0;
    for (size_t plane = 0; plane < out[0] * out[1]; ++plane)
      for (size_t y = 0; y < out[2]; ++y)
        for (size_t x = 0; x < out[3]; ++x, ++index)
          visit(index, (plane * in[2] + y * options_.stride) * in[3] + x * options_.stride);
  }

  // Calls visit(input index) for each element of a window.
  template <class Visit>
  void each_element(size_t corner, Visit visit) const {
    for (size_t i = 0; i < options_.kernel; ++i)
      for (size_t j = 0; j < options_.kernel; ++j)
        visit(corner + i * input_shape()[3] + j);
  }

  float window() const { return static_cast<float>(options_.kernel * options_.kernel); }

private:
  pool2d_options options_;
};

class max_pool2d final : public pool2d {
public:
  max_pool2d(op_shapes shapes, const pool2d_options& options)
    : pool2d(std::move(shapes), options), winners_(elements(output_shape())) {}

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    each_window([&](size_t index, size_t corner) {
      auto winner = corner;
      each_element(corner, [&](size_t candidate) {
        if (input[candidate] > input[winner])
          winner = candidate;
      });
      winners_[index] = winner;
      output[index] = input[winner];
    });
    return {};
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    if (input_gradient.empty())
      return {};
    std::fill(input_gradient.begin(), input_gradient.end(), 0.0F);
    for (size_t i = 0; i < output_gradient.size(); ++i)
      input_gradient[winners_[i]] += output_gradient[i];
    return {};
  }

  std::vector<size_t> winners_; // of the last forward: which input became each output
};

class avg_pool2d final : public pool2d {
public:
  using pool2d::pool2d;

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    each_window([&](size_t index, size_t corner) {
      double sum = 0;
      each_element(corner, [&](size_t element) { sum += input[element]; });
      output[index] = static_cast<float>(sum / window());
    });
    return {};
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    if (input_gradient.empty())
      return {};
    std::fill(input_gradient.begin(), input_gradient.end(), 0.0F);
    each_window([&](size_t index, size_t corner) {
      auto part = output_gradient[index] / window();
      each_element(corner, [&](size_t element) { input_gradient[element] += part; });
    });
    return {};
  }
};

} // namespace

std::unique_ptr<op> make_max_pool2d(op_shapes shapes, const pool2d_options& options) {
  return std::make_unique<max_pool2d>(std::move(shapes), options);
}

std::unique_ptr<op> make_avg_pool2d(op_shapes shapes, const pool2d_options& options) {
  return std::make_unique<avg_pool2d>(std::move(shapes), options);
}

} // namespace troupe::kernels::cpu
