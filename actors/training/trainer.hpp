// Synchronous data-parallel training: each rank computes the gradient of its own batch, the mean
// over the ranks is taken by one allreduce, and every rank makes the same update.
//
// Guarantees: on one machine the same plan, world size and data give the same bits, also when the
// training was interrupted at any step and went on from its state. All ranks hold equal parameters
// after synchronise() and after each step. Threads: one at a time. The dataset and the group
// outlive the trainer.
#pragma once

#include "actors/training/idx_dataset.hpp"
#include "actors/training/model.hpp"
#include "kernels/collective/collective.hpp"

namespace troupe::training {

struct training_plan {
  uint64_t seed = 1;
  uint32_t epochs = 3;
  uint32_t batch = 64; // samples of one rank in one step
  float learning_rate
    = 0.05F; // the highest: it rises over the first 5 % of steps, then falls to 0 in a line
  float momentum = 0.9F;
  float weight_decay = 5e-4F;
};

// All that the next step depends on, besides the plan and the data.
struct training_state {
  uint64_t step = 0;
  std::vector<float> parameters;
  std::vector<float> velocity; // the optimiser's momentum
};

class trainer {
public:
  // `gang` is null for a rank of its own.
  // Errors: invalid, when there are fewer samples than one step of the gang needs, or the plan
  // makes no sense.
  static result<trainer> make(const kernels::backend& on, const idx_dataset& samples,
                              const training_plan& plan, collective::group* gang);

  const training_plan& plan() const { return plan_; }
  uint32_t rank() const { return gang_ ? gang_->rank() : 0; }
  uint32_t world_size() const { return gang_ ? gang_->size() : 1; }
  uint64_t step() const { return step_; }
  uint64_t steps_per_epoch() const { return steps_per_epoch_; }
  uint64_t steps() const { return steps_per_epoch_ * plan_.epochs; }
  uint64_t epoch() const { return step_ / steps_per_epoch_; }
  bool done() const { return step_ >= steps(); }
  size_t parameter_count() const { return model_.parameter_count(); }

  training_state state() const;

  // Goes on from a state of an earlier life. Errors: invalid, when it is of another network or
  // plan.
  result<void> restore(training_state state);

  // Gives every rank the step, parameters and momentum of rank 0. Errors: those of the group.
  result<void> synchronise();

  // One step of the gang; the mean loss over it. Not to be called when done(). Samples that do not
  // fill a last step of an epoch are left out; they differ from epoch to epoch. Errors: those of
  // the group and of the kernels.
  result<float> advance();

  // The part of `samples` that is classified correctly, 0 to 1; the ranks share the work. Errors:
  // as advance().
  result<double> accuracy(const idx_dataset& samples);

private:
  trainer(const kernels::backend& on, const idx_dataset& samples, const training_plan& plan,
          collective::group* gang, model network, std::unique_ptr<collective::memory> exchanged);

  void fill(const idx_dataset& from, size_t slot, size_t sample);
  float learning_rate() const;

  const kernels::backend* backend_;
  const idx_dataset* samples_;
  training_plan plan_;
  collective::group* gang_;
  model model_;
  std::vector<float> velocity_;
  std::unique_ptr<collective::memory> exchanged_; // gradients, and the loss after them
  std::vector<float> images_;
  std::vector<float> labels_;
  std::vector<uint32_t> shard_; // of the epoch below
  uint64_t shard_epoch_ = 0;
  uint64_t steps_per_epoch_;
  uint64_t step_ = 0;
};

} // namespace troupe::training
