// Synchronous data-parallel training: each rank computes the gradient of its own samples, the sum
// over the ranks is taken meanwhile, and every rank makes the same update.
//
// Guarantees
// - On one machine the same plan, world size and data give the same bits, also when the training
//   was interrupted at any step and went on from its state.
// - All ranks hold equal parameters after synchronise() and after each step.
// - Each sample is used exactly once in an epoch, whatever becomes of the world size: the order of
//   an epoch depends on seed and epoch only, and a step takes the next samples of it.
// - A step that fails has changed nothing: with the next group it is made again.
// Threads: one at a time. The backend, the samples and the groups outlive the trainer.
#pragma once

#include "actors/training/gradient_exchange.hpp"
#include "actors/training/input/pipeline.hpp"
#include "actors/training/network.hpp"
#include "actors/training/schedule.hpp"

namespace troupe::training {

// What of a dataset is learned, and how it is read.
struct sample_set {
  const dataset* from = nullptr;
  std::string inputs{}; // the names of its fields
  std::string targets{};
  sample_map map{};   // of the inputs; empty: none
  size_t workers = 1; // threads that read ahead
};

struct training_plan {
  uint64_t seed = 1;
  uint32_t epochs = 3;
  uint32_t batch = 64;     // samples that one rank takes at once
  uint32_t accumulate = 1; // so many batches of each rank make a step
  kernels::optimiser_options optimiser{
    .learning_rate = 0.05F, .momentum = 0.9F, .weight_decay = 5e-4F};
  schedule rate{};      // of the optimiser's learning rate
  float clip_norm = 0;  // gradients are scaled down to this norm; 0: they are not
  float loss_scale = 0; // the first one, for products in f16; 0: none
};

// All that the next step depends on, besides the plan and the data.
struct training_state {
  uint64_t step = 0;     // how many were made
  uint64_t updates = 0;  // those that changed the parameters
  uint64_t epoch = 0;    // of the next step
  uint64_t consumed = 0; // samples of that epoch that were used
  float loss_scale = 0;
  uint64_t good_steps = 0; // since the scale was changed
  std::vector<float> parameters{};
  std::vector<float> optimiser{};  // its arrays, one after the other
  std::vector<float> statistics{}; // what operators learn by themselves
};

class trainer {
public:
  // A rank of its own, until it joins a gang. The batch of the network is that of the plan.
  // Errors: invalid, when there are no samples, they do not fit the network, or the plan makes no
  // sense; not_found: no such field.
  static result<trainer> make(const kernels::backend& on, network net, const sample_set& samples,
                              const training_plan& plan);

  const training_plan& plan() const { return plan_; }
  uint32_t rank() const { return gang_ ? gang_->rank() : 0; }
  uint32_t world_size() const { return gang_ ? gang_->size() : 1; }
  uint64_t step() const { return state_.step; }
  uint64_t epoch() const { return state_.epoch; }
  bool done() const { return state_.epoch >= plan_.epochs; }

  // How far the training is, in epochs.
  double epochs_done() const;

  // Samples that were used, of all epochs.
  uint64_t samples_done() const { return state_.epoch * samples_.from->size() + state_.consumed; }

  size_t samples_per_epoch() const { return samples_.from->size(); }

  size_t parameter_count() const { return network_.parameters().size(); }

  // A copy. Errors: those of the device.
  result<training_state> state() const { return state(0, 1); }

  // An even slice of the parameters and of the optimiser's arrays, one of `count`; all slices in a
  // row are the whole. The statistics are in the first.
  result<training_state> state(uint32_t index, uint32_t count) const;

  // Goes on from a state of an earlier life. Errors: invalid, when it is of another network or
  // plan; those of the device.
  result<void> restore(training_state state);

  // Gives every rank the state of the one that is farthest; of those that are as far, the lowest.
  // A failure changes nothing. Errors: those of the group.
  result<void> synchronise();

  // One step of the gang; the mean loss over it. Not to be called when done(). The last step of an
  // epoch takes what is left of it. Errors: those of the group, the dataset and the kernels.
  result<float> advance();

  // Asks that the ranks leave the group after a step: left_after() is then true on all of them
  // after the same one.
  void ask_to_leave() { leave_asked_ = true; }
  bool left_after() const { return leave_agreed_; }

  // Asks that the ranks save a checkpoint: save_due() is then true on all of them after the same
  // step, and until the next one.
  void ask_to_save() { save_asked_ = true; }
  bool save_due() const { return save_agreed_; }

  // Who makes the next steps. Before the groups are destroyed, leave(). Errors: those of the groups
  // and the device.
  result<void> join(const gang_groups& gang);
  void leave();

  // The part of `samples` whose likeliest class is that of their target, 0 to 1; the ranks share
  // the work. Errors: as advance().
  result<double> accuracy(const sample_set& samples);

private:
  trainer(const kernels::backend& on, network net, const sample_set& samples,
          const training_plan& plan)
    : backend_(&on), network_(std::move(net)), samples_(samples), plan_(plan) {
    state_.loss_scale = plan.loss_scale;
  }

  result<void> allocate();

  struct share; // of a rank, in a step
  share share_at(uint64_t consumed) const;
  result<std::unique_ptr<pipeline>> read_ahead(const sample_set& from,
                                               std::vector<uint32_t> order) const;
  result<void> open_input();
  kernels::device& device() const { return backend_->where(); }
  std::span<float> optimiser_arrays() const;
  std::span<float> gradients() { return exchange_->row().last(parameter_count()); }
  result<float> learn(const share& mine);
  result<float> learn_batch(const batch& in, size_t at, const share& mine);
  result<void> exchange(std::span<float> numbers);
  result<void> update();
  void consume(size_t samples);
  result<int64_t> count_right(const batch& in);

  const kernels::backend* backend_;
  network network_;
  sample_set samples_;
  training_plan plan_;
  collective::group* gang_ = nullptr;
  training_state state_; // its numbers; the arrays are the network's and those below
  std::unique_ptr<memory> optimiser_;
  std::unique_ptr<gradient_exchange> exchange_; // of a few numbers, and the gradients after them
  std::unique_ptr<memory> micro_;               // gradients of one batch of several
  std::unique_ptr<pipeline> input_;             // of what is left of the epoch below
  uint64_t input_epoch_ = 0;
  bool leave_asked_ = false;
  bool leave_agreed_ = false;
  bool save_asked_ = false;
  bool save_agreed_ = false;
};

} // namespace troupe::training
