// A small convolutional network for images with labels:
// conv - relu - pool - conv - relu - pool - dense - relu - dense - softmax.
//
// All parameters lie in one array and all gradients in another of the same layout: one allreduce
// for all of them. Threads: one at a time.
#pragma once

#include "kernels/op.hpp"

namespace troupe::training {

struct model_options {
  size_t batch = 64;
  size_t rows = 28;
  size_t columns = 28;
  size_t channels_first = 16;
  size_t channels_second = 32;
  size_t hidden = 64;
  size_t classes = 10;
};

class model {
public:
  // Random weights, as the operators want them. Errors: invalid, for extents that are too small for
  // the network.
  static result<model> make(const kernels::backend& on, const model_options& options,
                            uint64_t seed);

  const model_options& options() const { return options_; }
  size_t parameter_count() const { return parameters_.size(); }
  std::span<float> parameters() { return parameters_; }
  std::span<const float> parameters() const { return parameters_; }
  std::span<const float> gradients() const { return gradients_; }

  // One batch: the mean loss, and the gradients of it. Images are batch x rows x columns.
  result<float> learn(std::span<const float> images, std::span<const float> labels);

  // One batch: the likeliest class of each image.
  result<std::vector<uint8_t>> classify(std::span<const float> images);

private:
  struct layer {
    std::unique_ptr<kernels::op> op;
    size_t offset = 0; // of its parameters in the array
    std::vector<float> output;
    std::vector<float> gradient; // of the output
  };

  model() = default;

  result<void> add(result<std::unique_ptr<kernels::op>> made);
  void initialise(uint64_t seed);
  result<void> forward(const kernels::pass& in, std::span<const float> images);

  model_options options_;
  std::vector<layer> layers_;
  std::unique_ptr<kernels::loss> loss_;
  std::vector<float> parameters_;
  std::vector<float> gradients_;
};

} // namespace troupe::training
