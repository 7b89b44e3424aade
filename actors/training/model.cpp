#include "actors/training/model.hpp"

#include "runtime/base/random.hpp"

#include <algorithm>

namespace troupe::training {

result<model> model::make(const kernels::backend& on, const model_options& options, uint64_t seed) {
  model m;
  m.options_ = options;
  auto last = [&] { return m.layers_.back().op->output_shape(); };
  kernels::shape images{options.batch, 1, options.rows, options.columns};
  TROUPE_TRY(m.add(on.conv2d(images, {options.channels_first, 3, 1, 1})));
  TROUPE_TRY(m.add(on.activate(last(), kernels::activation::relu)));
  TROUPE_TRY(m.add(on.max_pool2d(last(), {2, 2})));
  TROUPE_TRY(m.add(on.conv2d(last(), {options.channels_second, 3, 1, 1})));
  TROUPE_TRY(m.add(on.activate(last(), kernels::activation::relu)));
  TROUPE_TRY(m.add(on.max_pool2d(last(), {2, 2})));
  TROUPE_TRY(m.add(on.dense(last(), {options.hidden})));
  TROUPE_TRY(m.add(on.activate(last(), kernels::activation::relu)));
  TROUPE_TRY(m.add(on.dense(last(), {options.classes})));
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
  parameters_.resize(next.offset + next.op->parameter_count());
  gradients_.resize(parameters_.size());
  layers_.push_back(std::move(next));
  return {};
}

void model::initialise(uint64_t seed) {
  random_source random{seed};
  for (const auto& each : layers_) {
    const auto& list = each.op->parameters();
    for (size_t i = 0; i < list.size(); ++i)
      for (size_t k = each.op->offset_of(i); k < each.op->offset_of(i + 1); ++k)
        parameters_[each.offset + k]
          = list[i].spread == 0
              ? list[i].centre
              : list[i].centre + static_cast<float>(random.real() * 2 - 1) * list[i].spread;
  }
}

result<void> model::forward(const kernels::pass& in, std::span<const float> images) {
  auto input = images;
  for (auto& each : layers_) {
    auto mine = std::span(parameters_).subspan(each.offset, each.op->parameter_count());
    TROUPE_TRY(each.op->forward(in, input, mine, each.output));
    input = each.output;
  }
  return {};
}

result<float> model::learn(std::span<const float> images, std::span<const float> labels) {
  TROUPE_TRY(forward({.training = true}, images));
  auto& end = layers_.back();
  auto part = 1 / static_cast<float>(options_.batch);
  auto sum = loss_->run(end.output, labels, options_.batch, part, end.gradient);
  if (!sum)
    return sum.error();
  for (size_t i = layers_.size(); i-- > 0;) {
    auto& each = layers_[i];
    auto count = each.op->parameter_count();
    // Nobody asks for the gradient of the images.
    auto input = i == 0 ? images : std::span<const float>(layers_[i - 1].output);
    auto back = i == 0 ? std::span<float>() : std::span<float>(layers_[i - 1].gradient);
    TROUPE_TRY(each.op->backward(input, std::span(parameters_).subspan(each.offset, count),
                                 each.gradient, back,
                                 std::span(gradients_).subspan(each.offset, count)));
  }
  return *sum * part;
}

result<std::vector<uint8_t>> model::classify(std::span<const float> images) {
  TROUPE_TRY(forward({.training = false}, images));
  const auto& logits = layers_.back().output;
  std::vector<uint8_t> likeliest(options_.batch);
  for (size_t n = 0; n < options_.batch; ++n) {
    auto row = std::span(logits).subspan(n * options_.classes, options_.classes);
    likeliest[n] = static_cast<uint8_t>(std::max_element(row.begin(), row.end()) - row.begin());
  }
  return likeliest;
}

} // namespace troupe::training
