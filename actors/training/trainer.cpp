#include "actors/training/trainer.hpp"

#include "actors/training/sharding.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace troupe::training {

namespace {

// A float holds integers of 24 bits exactly: a step number travels as two of them.
constexpr uint64_t half_bits = 24;

bool sensible(const training_plan& plan) {
  auto positive = [](float x) { return std::isfinite(x) && x > 0; };
  auto fraction = [](float x) { return x >= 0 && x < 1; };
  return plan.epochs > 0 && plan.batch > 0 && positive(plan.learning_rate)
         && fraction(plan.momentum) && fraction(plan.weight_decay);
}

} // namespace

result<trainer> trainer::make(const kernels::backend& on, const idx_dataset& samples,
                              const training_plan& plan, collective::group* gang) {
  if (!sensible(plan))
    return {
      errc::invalid,
      "The training plan makes no sense: epochs, batch and learning rate must be above 0, momentum "
      "and weight decay at least 0 and below 1."};
  auto together = size_t{plan.batch} * (gang ? gang->size() : 1);
  if (samples.size() < together)
    return {errc::invalid, "One step of the gang needs " + std::to_string(together)
                             + " samples and the data has " + std::to_string(samples.size())
                             + ": use a smaller batch or fewer ranks."};
  model_options options;
  options.batch = plan.batch;
  options.rows = samples.rows;
  options.columns = samples.columns;
  auto network = model::make(on, options, plan.seed);
  if (!network)
    return network.error();
  auto bytes = (network->parameter_count() + 1) * sizeof(float);
  auto exchanged = gang ? gang->allocate(bytes) : collective::make_memory(bytes);
  if (!exchanged)
    return exchanged.error();
  return trainer(on, samples, plan, gang, *std::move(network), *std::move(exchanged));
}

trainer::trainer(const kernels::backend& on, const idx_dataset& samples, const training_plan& plan,
                 collective::group* gang, model network,
                 std::unique_ptr<collective::memory> exchanged)
  : backend_(&on), samples_(&samples), plan_(plan), gang_(gang), model_(std::move(network)),
    velocity_(model_.parameter_count()), exchanged_(std::move(exchanged)),
    images_(size_t{plan.batch} * samples.rows * samples.columns), labels_(plan.batch),
    steps_per_epoch_(samples.size() / (size_t{plan.batch} * world_size())) {}

training_state trainer::state() const {
  auto values = model_.parameters();
  return {step_, {values.begin(), values.end()}, velocity_};
}

result<void> trainer::restore(training_state state) {
  if (state.parameters.size() != model_.parameter_count()
      || state.velocity.size() != velocity_.size())
    return {errc::invalid,
            "The checkpoint is of another network: start with an empty checkpoint directory."};
  if (state.step > steps())
    return {errc::invalid, "The checkpoint is at step " + std::to_string(state.step)
                             + " and the plan ends at " + std::to_string(steps())
                             + ": ask for more epochs."};
  std::copy(state.parameters.begin(), state.parameters.end(), model_.parameters().begin());
  velocity_ = std::move(state.velocity);
  step_ = state.step;
  return {};
}

result<void> trainer::synchronise() {
  if (!gang_)
    return {};
  constexpr uint64_t mask = (uint64_t{1} << half_bits) - 1;
  std::array<float, 2> position{static_cast<float>(step_ & mask),
                                static_cast<float>(step_ >> half_bits)};
  TROUPE_TRY(gang_->broadcast(position, 0));
  TROUPE_TRY(gang_->broadcast(model_.parameters(), 0));
  TROUPE_TRY(gang_->broadcast(velocity_, 0));
  step_ = static_cast<uint64_t>(position[0]) | static_cast<uint64_t>(position[1]) << half_bits;
  return {};
}

void trainer::fill(const idx_dataset& from, size_t slot, size_t sample) {
  auto pixels = from.image(sample);
  std::transform(pixels.begin(), pixels.end(),
                 images_.begin() + static_cast<std::ptrdiff_t>(slot * pixels.size()),
                 [](uint8_t x) { return static_cast<float>(x) * (1 / 127.5F) - 1.0F; });
  labels_[slot] = static_cast<float>(from.labels[sample]);
}

float trainer::learning_rate() const {
  auto warm = std::max<uint64_t>(1, steps() / 20);
  auto at = static_cast<float>(step_ + 1);
  if (step_ < warm)
    return plan_.learning_rate * at / static_cast<float>(warm);
  return plan_.learning_rate * static_cast<float>(steps() - step_)
         / static_cast<float>(steps() - warm + 1);
}

result<float> trainer::advance() {
  TROUPE_ASSERT(!done());
  if (shard_.empty() || shard_epoch_ != epoch()) {
    shard_epoch_ = epoch();
    shard_ = shard(static_cast<uint32_t>(samples_->size()), plan_.seed, shard_epoch_, rank(),
                   world_size());
  }
  auto first = (step_ % steps_per_epoch_) * plan_.batch;
  for (size_t i = 0; i < plan_.batch; ++i)
    fill(*samples_, i, shard_[first + i]);
  auto loss = model_.learn(images_, labels_);
  if (!loss)
    return loss.error();
  auto gradients = model_.gradients();
  auto exchanged = exchanged_->row<float>();
  std::copy(gradients.begin(), gradients.end(), exchanged.begin());
  exchanged.back() = *loss;
  if (gang_)
    TROUPE_TRY(gang_->allreduce(exchanged, collective::reduction::mean));
  kernels::optimiser_options how{.momentum = plan_.momentum, .weight_decay = plan_.weight_decay};
  // A momentum of 0 has no velocity.
  auto velocity = std::span(velocity_).first(state_arrays(how) * velocity_.size());
  backend_->update(how, {step_ + 1, learning_rate()}, exchanged.first(gradients.size()), velocity,
                   {}, model_.parameters());
  ++step_;
  return exchanged.back();
}

result<double> trainer::accuracy(const idx_dataset& samples) {
  if (samples.rows != samples_->rows || samples.columns != samples_->columns)
    return {errc::invalid,
            "The test images have another size than the training images: use data of one set."};
  size_t correct = 0;
  for (size_t next = rank(); next < samples.size();) {
    size_t filled = 0;
    for (; filled < plan_.batch && next < samples.size(); ++filled, next += world_size())
      fill(samples, filled, next);
    // What stands behind a short last batch is left from the one before and not counted.
    auto classes = model_.classify(images_);
    if (!classes)
      return classes.error();
    for (size_t i = 0; i < filled; ++i)
      correct += static_cast<float>((*classes)[i]) == labels_[i] ? 1 : 0;
  }
  // Exact: each rank counts far below 2^24.
  std::array<float, 1> total{static_cast<float>(correct)};
  if (gang_)
    TROUPE_TRY(gang_->allreduce(total, collective::reduction::sum));
  return static_cast<double>(total[0]) / static_cast<double>(samples.size());
}

} // namespace troupe::training
