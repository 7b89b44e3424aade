#include "kernels/cpu/recurrent.hpp"

#include "kernels/precision.hpp"

#include <algorithm>

namespace troupe::kernels::cpu {

namespace {

float narrow(double x) {
  return static_cast<float>(x);
}

} // namespace

recurrent::recurrent(op_shapes shapes, const recurrent_options& options, precision products)
  : op(std::move(shapes)), options_(options), products_(products), steps_(input_shape()[1]),
    features_(input_shape()[2]), rows_(parameters()[0].extents[0]),
    moments_(input_shape()[0] * steps_) {}

// Operands of the next products: results are rounded as those of any other product.
void recurrent::round(std::vector<double>& values) const {
  if (products_ == precision::f32)
    return;
  for (auto& x : values) {
    auto single = narrow(x);
    round_to(products_, {&single, 1}, {&single, 1});
    x = single;
  }
}

void recurrent::advance(size_t n, size_t t, view input, view parameters) {
  auto& now = at(n, t);
  const std::vector<double> nothing(hidden());
  now.hidden_before = t == 0 ? nothing : at(n, t - 1).hidden;
  now.cell_before = t == 0 ? nothing : at(n, t - 1).cell;
  now.from_input.resize(rows_);
  now.from_hidden.resize(rows_);
  for (size_t g = 0; g < rows_; ++g) {
    double sum = parameters[offset_of(2) + g];
    for (size_t f = 0; f < features_; ++f)
      sum += double{parameters[g * features_ + f]} * input[(n * steps_ + t) * features_ + f];
    now.from_input[g] = sum;
    sum = parameters[offset_of(3) + g];
    for (size_t k = 0; k < hidden(); ++k)
      sum += parameters[offset_of(1) + g * hidden() + k] * now.hidden_before[k];
    now.from_hidden[g] = sum;
  }
  now.hidden = now.cell = nothing;
  for (size_t i = 0; i < hidden(); ++i)
    step(now, i);
  round(now.hidden);
}

result<void> recurrent::run_forward(const pass&, view input, view parameters, mutable_view output) {
  for (size_t n = 0; n < input_shape()[0]; ++n)
    for (size_t t = 0; t < steps_; ++t) {
      advance(n, t, input, parameters);
      auto place = options_.last ? n : n * steps_ + t;
      const auto& result = at(n, t).hidden;
      std::transform(result.begin(), result.end(), output.subspan(place * hidden()).begin(),
                     narrow);
    }
  return {};
}

void recurrent::add_gradients(size_t n, size_t t, view input, moment_slopes& slopes,
                              view parameters, std::vector<double>& input_sums,
                              std::vector<double>& sums) const {
  const auto& before = moments_[n * steps_ + t].hidden_before;
  for (size_t g = 0; g < rows_; ++g) {
    for (size_t f = 0; f < features_; ++f) {
      auto from = (n * steps_ + t) * features_ + f;
      sums[g * features_ + f] += slopes.from_input[g] * input[from];
      input_sums[from] += slopes.from_input[g] * parameters[g * features_ + f];
    }
    for (size_t k = 0; k < hidden(); ++k) {
      auto weight = offset_of(1) + g * hidden() + k;
      sums[weight] += slopes.from_hidden[g] * before[k];
      slopes.hidden[k] += slopes.from_hidden[g] * parameters[weight];
    }
    sums[offset_of(2) + g] += slopes.from_input[g];
    sums[offset_of(3) + g] += slopes.from_hidden[g];
  }
}

result<void> recurrent::run_backward(view input, view parameters, view output_gradient,
                                     mutable_view input_gradient, mutable_view parameter_gradient) {
  std::vector<double> input_sums(input.size());
  std::vector<double> sums(parameter_count());
  for (size_t n = 0; n < input_shape()[0]; ++n) {
    moment_slopes slopes;
    slopes.hidden.resize(hidden());
    slopes.cell.resize(hidden());
    slopes.from_input.resize(rows_);
    slopes.from_hidden.resize(rows_);
    for (size_t t = steps_; t-- > 0;) {
      if (!options_.last || t + 1 == steps_)
        for (size_t i = 0; i < hidden(); ++i)
          slopes.hidden[i] += output_gradient[(options_.last ? n : n * steps_ + t) * hidden() + i];
      for (size_t i = 0; i < hidden(); ++i)
        back(at(n, t), slopes, i);
      round(slopes.from_input);
      round(slopes.from_hidden);
      add_gradients(n, t, input, slopes, parameters, input_sums, sums);
    }
  }
  std::transform(sums.begin(), sums.end(), parameter_gradient.begin(), narrow);
  if (!input_gradient.empty())
    std::transform(input_sums.begin(), input_sums.end(), input_gradient.begin(), narrow);
  return {};
}

} // namespace troupe::kernels::cpu
