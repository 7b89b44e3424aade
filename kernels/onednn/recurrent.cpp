#include "kernels/onednn/recurrent.hpp"

#include "kernels/onednn/product.hpp"
#include "kernels/onednn/session.hpp"
#include "kernels/precision.hpp"
#include "kernels/vectorised.hpp"

#include <algorithm>

namespace troupe::kernels::onednn {

namespace {

TROUPE_VECTORISED void add(const float* from, float* to, size_t count) {
  for (size_t i = 0; i < count; ++i)
    to[i] += from[i];
}

// Between {outer, inner, row} and {inner, outer, row}.
void exchange(const float* from, float* to, size_t outer, size_t inner, size_t row) {
  for (size_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < inner; ++i)
      std::copy_n(from + (o * inner + i) * row, row, to + (i * outer + o) * row);
}

void sum_rows(const std::vector<float>& from, mutable_view to) {
  std::fill(to.begin(), to.end(), 0.0F);
  for (size_t at = 0; at < from.size(); at += to.size())
    add(&from[at], to.data(), to.size());
}

} // namespace

recurrent::recurrent(op_shapes shapes, const recurrent_options& options, precision products,
                     bool shared)
  : op(std::move(shapes)), options_(options), products_(products), shared_(shared),
    batch_(input_shape()[0]), steps_(input_shape()[1]), features_(input_shape()[2]),
    hidden_(options.hidden), gates_(parameters()[0].extents[0]),
    inputs_(batch_ * steps_ * features_), sums_(batch_ * steps_ * gates_),
    states_(batch_ * (steps_ + 1) * hidden_), kept_(states_.size()), input_slopes_(sums_.size()),
    hidden_slopes_(shared ? 0 : sums_.size()), from_hidden_(batch_ * gates_),
    state_slope_(batch_ * hidden_), cell_slope_(batch_ * hidden_) {}

result<void> recurrent::forward_step(size_t t, view parameters) {
  auto rows = batch_ * hidden_;
  auto* weight = &parameters[offset_of(1)];
  if (t == 0) // the state is 0
    std::fill(from_hidden_.begin(), from_hidden_.end(), 0.0F);
  else
    TROUPE_TRY(multiply(batch_, gates_, hidden_, {&states_[t * rows], hidden_},
                        {weight, hidden_, true}, 0, from_hidden_.data()));
  for (size_t n = 0; n < batch_; ++n) {
    auto state = t * rows + n * hidden_;
    step({&sums_[(t * batch_ + n) * gates_], &from_hidden_[n * gates_], &parameters[offset_of(2)],
          &parameters[offset_of(3)], &states_[state], &states_[state + rows], &kept_[state + rows],
          &kept_[state]},
         hidden_);
  }
  auto after = std::span(states_).subspan((t + 1) * rows, rows);
  round_to(products_, after, after);
  return {};
}

result<void> recurrent::run_forward(const pass&, view input, view parameters, mutable_view output) {
  exchange(input.data(), inputs_.data(), batch_, steps_, features_);
  TROUPE_TRY(multiply(steps_ * batch_, gates_, features_, {inputs_.data(), features_},
                      {parameters.data(), features_, true}, 0, sums_.data()));
  for (size_t t = 0; t < steps_; ++t)
    TROUPE_TRY(forward_step(t, parameters));
  auto* first = &states_[batch_ * hidden_];
  if (options_.last)
    std::copy_n(first + (steps_ - 1) * output.size(), output.size(), output.begin());
  else
    exchange(first, output.data(), steps_, batch_, hidden_);
  return {};
}

void recurrent::take_gradient(size_t t, view output_gradient) {
  if (options_.last && t + 1 < steps_)
    return;
  auto from_step = options_.last ? 0 : t;
  auto stride = options_.last ? 1 : steps_;
  for (size_t n = 0; n < batch_; ++n)
    add(&output_gradient[(n * stride + from_step) * hidden_], &state_slope_[n * hidden_], hidden_);
}

result<void> recurrent::backward_step(size_t t, view parameters, view output_gradient) {
  auto rows = batch_ * hidden_;
  auto* from_input = &input_slopes_[t * batch_ * gates_];
  auto* from_hidden = shared_ ? from_input : &hidden_slopes_[t * batch_ * gates_];
  take_gradient(t, output_gradient);
  for (size_t n = 0; n < batch_; ++n) {
    auto state = t * rows + n * hidden_;
    back({&sums_[(t * batch_ + n) * gates_], &states_[state], &kept_[state + rows], &kept_[state],
          &state_slope_[n * hidden_], &cell_slope_[n * hidden_], from_input + n * gates_,
          from_hidden + n * gates_},
         hidden_);
  }
  for (auto* each : {from_input, from_hidden}) {
    mutable_view slopes(each, batch_ * gates_);
    round_to(products_, slopes, slopes);
  }
  if (t == 0)
    return {};
  return multiply(batch_, hidden_, gates_, {from_hidden, gates_},
                  {&parameters[offset_of(1)], hidden_}, 1, state_slope_.data());
}

result<void> recurrent::weight_gradients(mutable_view parameter_gradient) {
  const auto& hidden_slopes = shared_ ? input_slopes_ : hidden_slopes_;
  auto rows = steps_ * batch_;
  TROUPE_TRY(multiply(gates_, features_, rows, {input_slopes_.data(), gates_, true},
                      {inputs_.data(), features_}, 0, parameter_gradient.data()));
  // Before the first step the state is 0: its rows add nothing.
  auto of_hidden = parameter_gradient.subspan(offset_of(1), gates_ * hidden_);
  if (steps_ == 1)
    std::fill(of_hidden.begin(), of_hidden.end(), 0.0F);
  else
    TROUPE_TRY(multiply(gates_, hidden_, rows - batch_,
                        {&hidden_slopes[batch_ * gates_], gates_, true},
                        {&states_[batch_ * hidden_], hidden_}, 0, of_hidden.data()));
  auto input_bias = parameter_gradient.subspan(offset_of(2), gates_);
  auto hidden_bias = parameter_gradient.subspan(offset_of(3), gates_);
  sum_rows(input_slopes_, input_bias);
  if (shared_)
    std::copy(input_bias.begin(), input_bias.end(), hidden_bias.begin());
  else
    sum_rows(hidden_slopes_, hidden_bias);
  return {};
}

result<void> recurrent::back_to_input(view parameters, mutable_view input_gradient) {
  std::vector<float> by_time(inputs_.size());
  TROUPE_TRY(multiply(steps_ * batch_, features_, gates_, {input_slopes_.data(), gates_},
                      {parameters.data(), features_}, 0, by_time.data()));
  exchange(by_time.data(), input_gradient.data(), steps_, batch_, features_);
  return {};
}

result<void> recurrent::run_backward(view, view parameters, view output_gradient,
                                     mutable_view input_gradient, mutable_view parameter_gradient) {
  std::fill(state_slope_.begin(), state_slope_.end(), 0.0F);
  std::fill(cell_slope_.begin(), cell_slope_.end(), 0.0F);
  for (size_t t = steps_; t-- > 0;)
    TROUPE_TRY(backward_step(t, parameters, output_gradient));
  TROUPE_TRY(weight_gradients(parameter_gradient));
  if (input_gradient.empty())
    return {};
  return back_to_input(parameters, input_gradient);
}

} // namespace troupe::kernels::onednn
