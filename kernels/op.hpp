// Operators: what a network is made of, with their gradients; losses; optimisers.
//
// An op is made once for fixed shapes and then run many times. All arrays are dense float32 in
// row-major order, on the device of the backend; images are NCHW, sequences {batch, time,
// features}. Class labels and token ids are whole numbers below 2^24, which a float holds exactly.
// The parameters of an op lie one after the other in one flat array, so that all of a network can
// lie in one array and its gradients can be reduced as one. Guarantees: the same calls on the same
// machine give the same bits. An array of a wrong size is a bug and asserts. Threads: an op is used
// by one thread at a time (it keeps what the gradient needs); a backend by any number, unless its
// device says otherwise. Limits: every extent is at least 1 and an array has at most 2^31 - 1
// elements.
#pragma once

#include "kernels/device.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::kernels {

using shape = std::vector<size_t>;
// Elements of an array of this shape.
size_t elements(const shape& extents);

std::string to_string(const shape& extents);

// What distinguishes one run of a network from the next, besides its data.
struct pass {
  bool training = true; // else dropout does nothing, and norms use the statistics of the training
  uint64_t seed = 0;    // of dropout's choice
};

struct parameter {
  std::string name; // that of PyTorch: weight, bias, weight_ih_l0, ...
  shape extents;
  float centre = 0; // initial values are uniform in centre - spread .. centre + spread
  float spread = 0;
};

struct op_shapes {
  shape input;
  shape output;
  std::vector<parameter> parameters;
};

class op {
public:
  explicit op(op_shapes shapes);
  virtual ~op() = default;
  op(const op&) = delete;
  op& operator=(const op&) = delete;

  const shape& input_shape() const { return shapes_.input; }
  const shape& output_shape() const { return shapes_.output; }
  const std::vector<parameter>& parameters() const { return shapes_.parameters; }

  // Elements of all parameters, and where the one with this index begins.
  size_t parameter_count() const { return offsets_.back(); }
  size_t offset_of(size_t index) const { return offsets_[index]; }

  // What the op learns by itself and not by gradients; a part of a checkpoint. Empty for most.
  virtual mutable_view statistics() { return {}; }

  // Errors: invalid, when a token id is not one; internal, when the library below fails.
  result<void> forward(const pass& in, view input, view parameters, mutable_view output);

  // The gradients of the last forward(), which had the same input and parameters; once. Overwrites
  // both results; an empty `input_gradient` is not computed. That of token ids is 0.
  result<void> backward(view input, view parameters, view output_gradient,
                        mutable_view input_gradient, mutable_view parameter_gradient);

protected:
  virtual result<void> run_forward(const pass& in, view input, view parameters, mutable_view output)
    = 0;
  virtual result<void> run_backward(view input, view parameters, view output_gradient,
                                    mutable_view input_gradient, mutable_view parameter_gradient)
    = 0;

  // Elements of one of the batch: of the input, of the output.
  size_t input_row() const { return input_size_ / shapes_.input[0]; }
  size_t output_row() const { return output_size_ / shapes_.output[0]; }

private:
  op_shapes shapes_;
  size_t input_size_;
  size_t output_size_;
  std::vector<size_t> offsets_; // of each parameter, and the end
};

struct loss_shapes {
  shape outputs; // of the network; the first extent is the batch
  shape targets;
};

// The end of a network: a number to make small.
class loss {
public:
  explicit loss(loss_shapes shapes);
  virtual ~loss() = default;
  loss(const loss&) = delete;
  loss& operator=(const loss&) = delete;

  const shape& output_shape() const { return shapes_.outputs; }
  const shape& target_shape() const { return shapes_.targets; }

  // The sum over the first `valid` rows of the batch; the other rows do not count. `gradient` is
  // that of scale * sum with respect to the outputs. A sum, not a mean: the ranks of a gang may
  // have batches of different sizes, and only all of them know the divisor.
  // Errors: invalid, when the label of a valid row is not a class.
  result<float> run(view outputs, view targets, size_t valid, float scale, mutable_view gradient);

protected:
  // Elements of a row of the outputs.
  size_t row() const { return elements(shapes_.outputs) / shapes_.outputs[0]; }

  // Sets what a gradient has for rows that do not count to 0.
  virtual void clear(mutable_view part);

  // All three arrays end behind the last valid row.
  virtual result<float> run_valid(view outputs, view targets, float scale, mutable_view gradient)
    = 0;

private:
  loss_shapes shapes_;
};

enum class activation { relu, tanh, sigmoid, gelu };

struct conv2d_options {
  size_t channels = 1; // of the output
  size_t kernel = 3;   // height and width
  size_t stride = 1;
  size_t padding = 0; // zeros on each side
  bool relu = false;  // max(x, 0) of each result, cheaper than an op of its own
};

struct pool2d_options {
  size_t kernel = 2; // height and width
  size_t stride = 2;
};

struct dense_options {
  size_t features = 1;
  bool relu = false; // as in conv2d_options
};

struct batch_norm_options {
  float epsilon = 1e-5F; // added to the variance
  float momentum = 0.1F; // the weight of a new batch in the running statistics
};

struct layer_norm_options {
  float epsilon = 1e-5F; // added to the variance
};

struct embedding_options {
  size_t words = 1;  // ids are below it
  size_t extent = 1; // of the vector of each
};

struct recurrent_options {
  size_t hidden = 1; // elements of the state
  bool last = false; // give the state after the last step only
};

enum class optimiser_kind { sgd, adam, adamw, adadelta };

struct optimiser_options {
  optimiser_kind kind = optimiser_kind::sgd;
  float learning_rate = 0.01F;
  float momentum = 0.0F; // sgd
  bool nesterov = false; // sgd
  float beta1 = 0.9F;    // adam, adamw
  float beta2 = 0.999F;
  float rho = 0.9F;      // adadelta
  float epsilon = 1e-8F; // adam, adamw; of adadelta usually 1e-6
  float weight_decay = 0.0F;
};

// Errors: invalid, naming the option that makes no sense.
result<void> check(const optimiser_options& options);

// How many arrays of the parameters' size update() keeps its state in: 0, 1 or 2.
size_t state_arrays(const optimiser_options& options);

// Where an optimiser is: what changes from step to step.
struct optimiser_step {
  uint64_t number = 1; // from 1
  float learning_rate = 0.01F;
  float gradient_scale = 1.0F; // what gradients are multiplied with first: unscaling, clipping
};

// What the operands and results of products are rounded to; sums, norms, losses, optimisers and the
// arrays themselves are always f32. Source: Micikevicius et al., "Mixed precision training", 2018.
enum class precision { f32, bf16, f16 };

// One implementation of all operators. Its functions refuse (invalid) shapes that make no sense.
class backend {
public:
  // The device outlives the backend.
  explicit backend(precision products, device& where = processor())
    : precision_(products), device_(where) {}
  virtual ~backend() = default;

  virtual std::string_view name() const = 0;
  precision products() const { return precision_; }
  device& where() const { return device_; }

  // {n, c, h, w} -> {n, channels, h', w'}; weight {channels, c, kernel, kernel}, bias {channels}.
  result<std::unique_ptr<op>> conv2d(const shape& input, const conv2d_options& options) const;

  // {n, c, h, w} -> {n, c, h', w'}; of equal values the first one gets the gradient.
  result<std::unique_ptr<op>> max_pool2d(const shape& input, const pool2d_options& options) const;
  result<std::unique_ptr<op>> avg_pool2d(const shape& input, const pool2d_options& options) const;

  // {n, ...} -> {n, features}; weight {features, elements of ...}, bias {features}.
  result<std::unique_ptr<op>> dense(const shape& input, const dense_options& options) const;

  // Of each element. The gradient of relu at 0 is 0; gelu is x * (1 + erf(x / sqrt 2)) / 2.
  result<std::unique_ptr<op>> activate(const shape& input, activation how) const;

  // {n, c, h, w} over all but c, or {n, features} over n; weight and bias {c}. Statistics: the
  // running mean {c}, then the running unbiased variance {c}. Source: Ioffe, Szegedy, "Batch
  // normalization", 2015.
  result<std::unique_ptr<op>> batch_norm(const shape& input,
                                         const batch_norm_options& options) const;

  // Over the last extent d; weight and bias {d}. Source: Ba, Kiros, Hinton, "Layer normalization",
  // 2016.
  result<std::unique_ptr<op>> layer_norm(const shape& input,
                                         const layer_norm_options& options) const;

  // Each element becomes 0 with this probability, from 0 to below 1, or else is divided by what
  // remains; by pass::seed and the element's index. Ops of one network shall get different seeds.
  result<std::unique_ptr<op>> dropout(const shape& input, float rate) const;

  // Token ids {n, t} -> {n, t, extent}; weight {words, extent}.
  result<std::unique_ptr<op>> embedding(const shape& input, const embedding_options& options) const;

  // {n, t, features} -> {n, t, hidden}, or {n, hidden} of the last step; the state begins as 0. The
  // four parameters, the equations and the order of the gates (input, forget, cell, output) are
  // those of PyTorch's LSTM. Source: Hochreiter, Schmidhuber, "Long short-term memory", 1997.
  result<std::unique_ptr<op>> lstm(const shape& input, const recurrent_options& options) const;

  // The same with PyTorch's GRU (gates: reset, update, new). Source: Cho et al., "Learning phrase
  // representations using RNN encoder-decoder", 2014.
  result<std::unique_ptr<op>> gru(const shape& input, const recurrent_options& options) const;

  // Logits {n, classes} and labels {n}; or {n, t, classes} and {n, t}, the mean over t.
  result<std::unique_ptr<loss>> softmax_cross_entropy(const shape& outputs) const;

  // The mean over a row's elements of (output - target)^2.
  result<std::unique_ptr<loss>> mean_squared_error(const shape& outputs) const;

  // The mean over a row's elements, of logits and of targets from 0 to 1.
  result<std::unique_ptr<loss>> binary_cross_entropy(const shape& outputs) const;

  // One step of the optimiser, by PyTorch's definitions, on all parameters or any part of them; the
  // arrays have the same size and the state ones that are not needed are empty. States begin as 0.
  virtual void update(const optimiser_options& options, const optimiser_step& step, view gradients,
                      mutable_view first_state, mutable_view second_state,
                      mutable_view parameters) const = 0;

protected:
  using made_op = result<std::unique_ptr<op>>;
  using made_loss = result<std::unique_ptr<loss>>;

  virtual made_op make_conv2d(op_shapes shapes, const conv2d_options& options) const = 0;
  virtual made_op make_max_pool2d(op_shapes shapes, const pool2d_options& options) const = 0;
  virtual made_op make_avg_pool2d(op_shapes shapes, const pool2d_options& options) const = 0;
  virtual made_op make_dense(op_shapes shapes, const dense_options& options) const = 0;
  virtual made_op make_activation(op_shapes shapes, activation how) const = 0;
  virtual made_op make_batch_norm(op_shapes shapes, const batch_norm_options& options) const = 0;
  virtual made_op make_layer_norm(op_shapes shapes, const layer_norm_options& options) const = 0;
  virtual made_op make_dropout(op_shapes shapes, float rate) const = 0;
  virtual made_op make_embedding(op_shapes shapes, const embedding_options& options) const = 0;
  virtual made_op make_lstm(op_shapes shapes, const recurrent_options& options) const = 0;
  virtual made_op make_gru(op_shapes shapes, const recurrent_options& options) const = 0;
  virtual made_loss make_softmax_cross_entropy(loss_shapes shapes) const = 0;
  virtual made_loss make_mean_squared_error(loss_shapes shapes) const = 0;
  virtual made_loss make_binary_cross_entropy(loss_shapes shapes) const = 0;

private:
  precision precision_;
  device& device_;
};

} // namespace troupe::kernels
