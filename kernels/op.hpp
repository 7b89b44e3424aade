// Operators: what a network is made of, with their gradients.
//
// An op is made once for fixed shapes and then run many times. All arrays are dense float32 in
// row-major order; images are NCHW. The parameters of an op are one flat array, the weights first
// and the bias after them, so that all of a network can lie in one array and its gradients can be
// reduced as one. Guarantees: the same calls on the same machine give the same bits. An array of a
// wrong size is a bug and asserts. Threads: an op is used by one thread at a time (it keeps what
// the gradient needs); a backend by any number. Limits: every extent is at least 1 and an array has
// at most 2^31 - 1 elements.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::kernels {

using shape = std::vector<size_t>;
using view = std::span<const float>;
using mutable_view = std::span<float>;

// Elements of an array of this shape.
size_t elements(const shape& extents);

std::string to_string(const shape& extents);

struct parameter_layout {
  size_t weights = 0; // first in the array
  size_t bias = 0;    // after them
  size_t fan_in = 0;  // inputs that one output sums over: sets the scale of initial weights

  size_t count() const { return weights + bias; }
};

struct op_shapes {
  shape input;
  shape output;
  parameter_layout parameters;
};

class op {
public:
  explicit op(op_shapes shapes);
  virtual ~op() = default;
  op(const op&) = delete;
  op& operator=(const op&) = delete;

  const shape& input_shape() const { return shapes_.input; }
  const shape& output_shape() const { return shapes_.output; }
  const parameter_layout& parameters() const { return shapes_.parameters; }

  // Errors: internal, when the library below fails.
  result<void> forward(view input, view parameters, mutable_view output);

  // The gradients of the last forward(), which had the same input and parameters. Overwrites both
  // results; an empty `input_gradient` is not computed.
  result<void> backward(view input, view parameters, view output_gradient,
                        mutable_view input_gradient, mutable_view parameter_gradient);

protected:
  virtual result<void> run_forward(view input, view parameters, mutable_view output) = 0;
  virtual result<void> run_backward(view input, view parameters, view output_gradient,
                                    mutable_view input_gradient, mutable_view parameter_gradient)
    = 0;

private:
  op_shapes shapes_;
  size_t input_size_;
  size_t output_size_;
};

// The end of a network: a number to make small.
class loss {
public:
  explicit loss(shape logits);
  virtual ~loss() = default;
  loss(const loss&) = delete;
  loss& operator=(const loss&) = delete;

  // The mean over the batch; `gradient` is that of the mean with respect to the logits.
  // Errors: invalid, when a label is not below the number of classes.
  result<float> run(view logits, std::span<const uint8_t> labels, mutable_view gradient);

protected:
  const shape& logits_shape() const { return logits_; }
  virtual result<float> run_checked(view logits, std::span<const uint8_t> labels,
                                    mutable_view gradient)
    = 0;

private:
  shape logits_;
};

struct conv2d_options {
  size_t channels = 1; // of the output
  size_t kernel = 3;   // height and width
  size_t stride = 1;
  size_t padding = 0; // zeros on each side
};

struct max_pool2d_options {
  size_t kernel = 2;
  size_t stride = 2;
};

struct sgd_options {
  float learning_rate = 0.01F;
  float momentum = 0.9F;
  float weight_decay = 0.0F;
};

// One implementation of all operators. Its functions refuse (invalid) shapes that make no sense.
class backend {
public:
  virtual ~backend() = default;

  virtual std::string_view name() const = 0;

  // {n, c, h, w} -> {n, channels, h', w'}; weights {channels, c, kernel, kernel}, bias {channels}.
  virtual result<std::unique_ptr<op>> conv2d(const shape& input, const conv2d_options&) const = 0;

  // {n, c, h, w} -> {n, c, h', w'}; of equal values the first one gets the gradient.
  virtual result<std::unique_ptr<op>> max_pool2d(const shape& input,
                                                 const max_pool2d_options&) const = 0;

  // {n, ...} -> {n, features}; weights {features, elements of ...}, bias {features}.
  virtual result<std::unique_ptr<op>> dense(const shape& input, size_t features) const = 0;

  // max(x, 0); the gradient at 0 is 0.
  virtual result<std::unique_ptr<op>> relu(const shape& input) const = 0;

  // Logits {n, classes}.
  virtual result<std::unique_ptr<loss>> softmax_cross_entropy(const shape& logits) const = 0;

  // velocity = momentum * velocity + gradient + weight_decay * parameter;
  // parameter -= learning_rate * velocity. The three have the same size.
  virtual void sgd(const sgd_options&, view gradients, mutable_view velocity,
                   mutable_view parameters) const = 0;
};

} // namespace troupe::kernels
