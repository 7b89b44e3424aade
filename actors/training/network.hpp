// Operators one after the other, and the loss at their end.
//
// All parameters lie in one array, and gradients in another of the same layout, which the caller
// gives: it may be memory in which a gang reduces them. Both are memory of the device on which the
// operators are; batches and what is inferred lie in the process.
// Threads: one at a time.
#pragma once

#include "kernels/op.hpp"

#include <functional>

namespace troupe::training {

// Rows of a batch; those from `valid` on do not count.
struct batch_view {
  kernels::view inputs;
  kernels::view targets;
  size_t valid = 0;
};

class network {
public:
  // `where` is the device of the backend that makes the operators, and outlives the network.
  explicit network(kernels::device& where) : device_(&where) {}

  // Takes what a backend made, or its error: then finish() returns the first one.
  network& add(result<std::unique_ptr<kernels::op>> made);

  // The shape that the next operator gets.
  const kernels::shape& last() const;

  // Ends the network, and sets the initial parameters. Errors: of what was added; invalid, when
  // nothing was; those of the device.
  result<void> finish(result<std::unique_ptr<kernels::loss>> made, uint64_t seed);

  size_t batch() const { return layers_.front().op->input_shape().front(); }
  size_t input_row() const; // elements of one row of the inputs
  size_t output_row() const;
  size_t target_row() const;

  // On the device. None before finish().
  std::span<float> parameters() const;

  // What operators learn by themselves, of all of them, one after the other.
  size_t statistics_count() const;
  void copy_statistics(std::span<float> to) const;
  void set_statistics(std::span<const float> from);

  // Is told, from the end of an array of gradients to its beginning, from where on they are final.
  using progress = std::function<result<void>(size_t from)>;

  // One batch: the sum of its rows' losses, and the gradients of scale * that sum, on the device.
  // Errors: those of the operators, the loss, the device, and of `ready`.
  result<float> learn(const batch_view& in, float scale, uint64_t seed, std::span<float> gradients,
                      const progress& ready);

  // One batch: the outputs, in the process, which are good until the next call.
  result<kernels::view> infer(kernels::view inputs);

private:
  struct layer {
    std::unique_ptr<kernels::op> op;
    size_t offset = 0; // of its parameters in the array
    std::unique_ptr<memory> output;
    std::unique_ptr<memory> gradient; // of the output
  };

  result<std::unique_ptr<memory>> allocate(size_t elements);
  result<void> initialise(uint64_t seed);
  result<kernels::view> on_device(kernels::view here, std::unique_ptr<memory>& room);
  std::span<float> parameters_of(const layer& x) const;
  result<void> forward(const kernels::pass& how, kernels::view inputs);

  kernels::device* device_;
  std::vector<layer> layers_;
  std::unique_ptr<kernels::loss> loss_;
  size_t parameter_count_ = 0;
  std::unique_ptr<memory> parameters_;
  std::unique_ptr<memory> inputs_; // of a batch, and its targets, where the device is no processor
  std::unique_ptr<memory> targets_;
  std::vector<float> inferred_; // there
  result<void> added_;
};

} // namespace troupe::training
