#include "actors/training/model.hpp"

#include "runtime/base/random.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::training {

result<model> model::make(const kernels::backend& on, const model_options& options, uint64_t seed) {
  model m;
  m.options_ = options;
  auto last = [&] { return m.layers_.back().op->output_shape(); };
  kernels::shape images{options.batch, 1, options.rows, options.columns};
  TROUPE_TRY(m.add(on.conv2d(images, {options.channels_first, 3, 1, 1})));
  TROUPE_TRY(m.add(on.relu(last())));
  TROUPE_TRY(m.add(on.max_pool2d(last(), {2, 2})));
  TROUPE_TRY(m.add(on.conv2d(last(), {options.channels_second, 3, 1, 1})));
  TROUPE_TRY(m.add(on.relu(last())));
  TROUPE_TRY(m.add(on.max_pool2d(last(), {2, 2})));
  TROUPE_TRY(m.add(on.dense(last(), options.hidden)));
  TROUPE_TRY(m.add(on.relu(last())));
  TROUPE_TRY(m.add(on.dense(last(), options.classes)));
  auto loss = on.softmax_cross_entropy(last());
  if (!loss)
    return loss.error();
  m.loss_ = *std::move(loss);
  m.initialise(seed);
  return m;
}

result<void> model::add(result<std::unique_ptr<kernels::op>> made) {
  if (!made)
    return made.error();
  layer next;
  next.op = *std::move(made);
  next.offset = parameters_.size();
  next.output.resize(kernels::elements(next.op->output_shape()));
  next.gradient.resize(next.output.size());
  parameters_.resize(next.offset + next.op->parameters().count());
  gradients_.resize(parameters_.size());
  layers_.push_back(std::move(next));
  return {};
}

void model::initialise(uint64_t seed) {
  random_source random{seed};
  for (const auto& each : layers_) {
    const auto& layout = each.op->parameters();
    if (layout.weights == 0)
      continue;
    auto bound = std::sqrt(6.0 / static_cast<double>(layout.fan_in));
    for (size_t i = 0; i < layout.weights; ++i)
      parameters_[each.offset + i] = static_cast<float>((random.real() * 2 - 1) * bound);
  }
}

result<void> model::forward(std::span<const float> images) {
  auto input = images;
  for (auto& each : layers_) {
    auto mine = std::span(parameters_).subspan(each.offset, each.op->parameters().count());
    TROUPE_TRY(each.op->forward(input, mine, each.output));
    input = each.output;
  }
  return {};
}

result<float> model::learn(std::span<const float> images, std::span<const uint8_t> labels) {
  TROUPE_TRY(forward(images));
  auto& end = layers_.back();
  auto mean = loss_->run(end.output, labels, end.gradient);
  if (!mean)
    return mean.error();
  for (size_t i = layers_.size(); i-- > 0;) {
    auto& each = layers_[i];
    auto count = each.op->parameters().count();
    // Nobody asks for the gradient of the images.
    auto input = i == 0 ? images : std::span<const float>(layers_[i - 1].output);
    auto back = i == 0 ? std::span<float>() : std::span<float>(layers_[i - 1].gradient);
    TROUPE_TRY(each.op->backward(input, std::span(parameters_).subspan(each.offset, count),
                                 each.gradient, back,
                                 std::span(gradients_).subspan(each.offset, count)));
  }
  return *mean;
}

result<std::vector<uint8_t>> model::classify(std::span<const float> images) {
  TROUPE_TRY(forward(images));
  const auto& logits = layers_.back().output;
  std::vector<uint8_t> likeliest(options_.batch);
  for (size_t n = 0; n < options_.batch; ++n) {
    auto row = std::span(logits).subspan(n * options_.classes, options_.classes);
    likeliest[n] = static_cast<uint8_t>(std::max_element(row.begin(), row.end()) - row.begin());
  }
  return likeliest;
}

} // namespace troupe::training
