#include "actors/training/network.hpp"

#include "runtime/base/random.hpp"

#include <algorithm>

namespace troupe::training {

namespace {

size_t row_of(const kernels::shape& extents) {
  return kernels::elements(extents) / extents.front();
}

} // namespace

network& network::add(result<std::unique_ptr<kernels::op>> made) {
  if (!added_)
    return *this;
  if (!made) {
    added_ = made.error();
    return *this;
  }
  layer next;
  next.op = *std::move(made);
  next.offset = parameter_count_;
  parameter_count_ += next.op->parameter_count();
  layers_.push_back(std::move(next));
  return *this;
}

const kernels::shape& network::last() const {
  static const kernels::shape none;
  return layers_.empty() ? none : layers_.back().op->output_shape();
}

result<void> network::finish(result<std::unique_ptr<kernels::loss>> made, uint64_t seed) {
  TROUPE_TRY(added_);
  if (!made)
    return made.error();
  if (layers_.empty())
    return {errc::invalid, "The network has no operators: add some before its loss."};
  loss_ = *std::move(made);
  for (auto& each : layers_)
    for (auto* room : {&each.output, &each.gradient}) {
      auto got = allocate(kernels::elements(each.op->output_shape()));
      if (!got)
        return got.error();
      *room = *std::move(got);
    }
  return initialise(seed);
}

result<void> network::initialise(uint64_t seed) {
  auto room = allocate(parameter_count_);
  if (!room)
    return room.error();
  parameters_ = *std::move(room);
  std::vector<float> values(parameter_count_);
  random_source random{seed};
  for (const auto& each : layers_)
    for (size_t i = 0; i < each.op->parameters().size(); ++i) {
      const auto& parameter = each.op->parameters()[i];
      for (size_t k = each.op->offset_of(i); k < each.op->offset_of(i + 1); ++k) {
        auto off = parameter.spread != 0 ? static_cast<float>(random.real() * 2 - 1) : 0.0F;
        values[each.offset + k] = parameter.centre + off * parameter.spread;
      }
    }
  return device_->put(parameters(), values);
}

result<std::unique_ptr<memory>> network::allocate(size_t elements) {
  return device_->allocate(elements * sizeof(float));
}

std::span<float> network::parameters() const {
  return parameters_ ? parameters_->row<float>() : std::span<float>();
}

size_t network::input_row() const {
  return row_of(layers_.front().op->input_shape());
}

size_t network::output_row() const {
  return row_of(last());
}

size_t network::target_row() const {
  return row_of(loss_->target_shape());
}

size_t network::statistics_count() const {
  size_t count = 0;
  for (const auto& each : layers_)
    count += each.op->statistics().size();
  return count;
}

void network::copy_statistics(std::span<float> to) const {
  size_t at = 0;
  for (const auto& each : layers_) {
    auto own = each.op->statistics();
    std::copy(own.begin(), own.end(), to.subspan(at).begin());
    at += own.size();
  }
}

void network::set_statistics(std::span<const float> from) {
  size_t at = 0;
  for (const auto& each : layers_) {
    auto own = each.op->statistics();
    auto part = from.subspan(at, own.size());
    std::copy(part.begin(), part.end(), own.begin());
    at += own.size();
  }
}

std::span<float> network::parameters_of(const layer& x) const {
  return parameters().subspan(x.offset, x.op->parameter_count());
}

// Rows of the process: themselves, or their copy in `room`, which is made when it is needed.
result<kernels::view> network::on_device(kernels::view here, std::unique_ptr<memory>& room) {
  if (device_->is_processor())
    return here;
  if (!room || room->bytes().size() != here.size_bytes()) {
    auto got = allocate(here.size());
    if (!got)
      return got.error();
    room = *std::move(got);
  }
  TROUPE_TRY(device_->put(room->row<float>(), here));
  return kernels::view(room->row<float>());
}

result<void> network::forward(const kernels::pass& how, kernels::view inputs) {
  auto from = inputs;
  auto each_its_own = how; // two operators shall not drop the same elements
  for (auto& each : layers_) {
    each_its_own.seed = random_source{each_its_own.seed}.next();
    TROUPE_TRY(
      each.op->forward(each_its_own, from, parameters_of(each), each.output->row<float>()));
    from = each.output->row<float>();
  }
  return {};
}

result<float> network::learn(const batch_view& in, float scale, uint64_t seed,
                             std::span<float> gradients, const progress& ready) {
  TROUPE_ASSERT(gradients.size() == parameter_count_);
  auto inputs = on_device(in.inputs, inputs_);
  TROUPE_TRY(inputs);
  auto targets = on_device(in.targets, targets_);
  TROUPE_TRY(targets);
  TROUPE_TRY(forward({.training = true, .seed = seed}, *inputs));
  auto& end = layers_.back();
  auto sum
    = loss_->run(end.output->row<float>(), *targets, in.valid, scale, end.gradient->row<float>());
  if (!sum)
    return sum.error();
  for (size_t i = layers_.size(); i-- > 0;) {
    auto& each = layers_[i];
    // Nobody asks for the gradient of the inputs.
    auto from = i == 0 ? *inputs : kernels::view(layers_[i - 1].output->row<float>());
    auto back = i == 0 ? kernels::mutable_view() : layers_[i - 1].gradient->row<float>();
    TROUPE_TRY(each.op->backward(from, parameters_of(each), each.gradient->row<float>(), back,
                                 gradients.subspan(each.offset, each.op->parameter_count())));
    if (each.op->parameter_count() > 0)
      TROUPE_TRY(ready(each.offset));
  }
  return *sum;
}

result<kernels::view> network::infer(kernels::view inputs) {
  auto there = on_device(inputs, inputs_);
  TROUPE_TRY(there);
  TROUPE_TRY(forward({.training = false}, *there));
  auto outputs = layers_.back().output->row<float>();
  if (device_->is_processor())
    return kernels::view(outputs);
  inferred_.resize(outputs.size());
  TROUPE_TRY(device_->get(inferred_, outputs));
  return kernels::view(inferred_);
}

} // namespace troupe::training
