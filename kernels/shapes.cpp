#include "kernels/shapes.hpp"

#include <cmath>

namespace troupe::kernels {

namespace {

constexpr size_t elements_max = 0x7fffffff;
constexpr size_t ids_max = size_t{1} << 24; // whole numbers below it are exact in a float

result<void> check(std::string_view what, const shape& extents, size_t rank_least,
                   size_t rank_most) {
  if (extents.size() < rank_least || extents.size() > rank_most)
    return {errc::invalid, std::string(what) + " of shape " + to_string(extents)
                             + " has the wrong number of dimensions: images are {n, c, h, w}, rows "
                               "{n, features}."};
  size_t product = 1;
  for (auto extent : extents) {
    if (extent == 0)
      return {errc::invalid, std::string(what) + " of shape " + to_string(extents)
                               + " is empty: every extent must be at least 1."};
    if (extent > elements_max / product)
      return {errc::invalid, std::string(what) + " of shape " + to_string(extents)
                               + " has more than 2^31 - 1 elements: use a smaller batch."};
    product *= extent;
  }
  return {};
}

// How often a window of `kernel` fits, or 0.
size_t positions(size_t extent, size_t kernel, size_t stride) {
  return extent < kernel ? 0 : (extent - kernel) / stride + 1;
}

// The scale that keeps a signal's variance where relu halves it. Source: He et al., "Delving deep
// into rectifiers", 2015.
float spread(size_t fan_in) {
  return static_cast<float>(std::sqrt(6.0 / static_cast<double>(fan_in)));
}

result<void> check_epsilon(const char* what, float epsilon) {
  if (std::isfinite(epsilon) && epsilon > 0)
    return {};
  return {errc::invalid, std::string(what) + " needs an epsilon above 0: change its options."};
}

} // namespace

result<op_shapes> conv2d_shapes(const shape& input, const conv2d_options& options) {
  TROUPE_TRY(check("the input of conv2d", input, 4, 4));
  if (options.kernel == 0 || options.stride == 0 || options.padding >= options.kernel)
    return {errc::invalid,
            "conv2d needs a kernel and a stride of at least 1 and a padding below the "
            "kernel: change its options."};
  const shape weight{options.channels, input[1], options.kernel, options.kernel};
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], options.channels,
                   positions(input[2] + 2 * options.padding, options.kernel, options.stride),
                   positions(input[3] + 2 * options.padding, options.kernel, options.stride)};
  TROUPE_TRY(check("the output of conv2d", shapes.output, 4, 4));
  TROUPE_TRY(check("the weight of conv2d", weight, 4, 4));
  shapes.parameters = {{"weight", weight, 0, spread(elements(weight) / options.channels)},
                       {"bias", {options.channels}}};
  return shapes;
}

result<op_shapes> pool2d_shapes(const shape& input, const pool2d_options& options) {
  TROUPE_TRY(check("the input of a pool", input, 4, 4));
  if (options.kernel == 0 || options.stride == 0)
    return {errc::invalid, "a pool needs a kernel and a stride of at least 1: change its options."};
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], input[1], positions(input[2], options.kernel, options.stride),
                   positions(input[3], options.kernel, options.stride)};
  TROUPE_TRY(check("the output of a pool", shapes.output, 4, 4));
  return shapes;
}

result<op_shapes> dense_shapes(const shape& input, const dense_options& options) {
  TROUPE_TRY(check("the input of dense", input, 2, 8));
  auto fan_in = elements(input) / input[0];
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], options.features};
  TROUPE_TRY(check("the output of dense", shapes.output, 2, 2));
  TROUPE_TRY(check("the weight of dense", {options.features, fan_in}, 2, 2));
  shapes.parameters
    = {{"weight", {options.features, fan_in}, 0, spread(fan_in)}, {"bias", {options.features}}};
  return shapes;
}

result<op_shapes> activation_shapes(const shape& input) {
  TROUPE_TRY(check("the input of an activation", input, 1, 8));
  return op_shapes{input, input, {}};
}

result<op_shapes> batch_norm_shapes(const shape& input, const batch_norm_options& options) {
  TROUPE_TRY(check("the input of batch_norm", input, 2, 4));
  TROUPE_TRY(check_epsilon("batch_norm", options.epsilon));
  if (input.size() == 3)
    return {errc::invalid, "batch_norm is of {n, c, h, w} or {n, features}, not of "
                             + to_string(input) + ": give it another shape."};
  if (!(options.momentum > 0 && options.momentum <= 1))
    return {errc::invalid,
            "batch_norm needs a momentum above 0 and at most 1: change its options."};
  return op_shapes{input, input, {{"weight", {input[1]}, 1, 0}, {"bias", {input[1]}}}};
}

result<op_shapes> layer_norm_shapes(const shape& input, const layer_norm_options& options) {
  TROUPE_TRY(check("the input of layer_norm", input, 2, 8));
  TROUPE_TRY(check_epsilon("layer_norm", options.epsilon));
  return op_shapes{input, input, {{"weight", {input.back()}, 1, 0}, {"bias", {input.back()}}}};
}

result<op_shapes> dropout_shapes(const shape& input, float rate) {
  TROUPE_TRY(check("the input of dropout", input, 1, 8));
  if (!(rate >= 0 && rate < 1))
    return {errc::invalid, "dropout needs a rate of at least 0 and below 1: change its options."};
  return op_shapes{input, input, {}};
}

result<op_shapes> embedding_shapes(const shape& input, const embedding_options& options) {
  TROUPE_TRY(check("the input of embedding", input, 2, 2));
  if (options.words > ids_max)
    return {errc::invalid, "embedding has more than 2^24 words: use a smaller vocabulary."};
  const shape weight{options.words, options.extent};
  TROUPE_TRY(check("the weight of embedding", weight, 2, 2));
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], input[1], options.extent};
  TROUPE_TRY(check("the output of embedding", shapes.output, 3, 3));
  // Of variance 1.
  shapes.parameters = {{"weight", weight, 0, std::sqrt(3.0F)}};
  return shapes;
}

result<op_shapes> recurrent_shapes(const shape& input, const recurrent_options& options,
                                   size_t gates) {
  TROUPE_TRY(check("the input of a recurrent op", input, 3, 3));
  TROUPE_TRY(check("the weight of a recurrent op", {options.hidden, gates, options.hidden}, 3, 3));
  auto rows = gates * options.hidden;
  TROUPE_TRY(check("the gates of a recurrent op", {input[0], input[1], rows}, 3, 3));
  TROUPE_TRY(check("the weight of a recurrent op", {rows, input[2]}, 2, 2));
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], input[1], options.hidden};
  if (options.last)
    shapes.output = {input[0], options.hidden};
  auto scale = 1 / std::sqrt(static_cast<float>(options.hidden));
  shapes.parameters = {{"weight_ih_l0", {rows, input[2]}, 0, scale},
                       {"weight_hh_l0", {rows, options.hidden}, 0, scale},
                       {"bias_ih_l0", {rows}, 0, scale},
                       {"bias_hh_l0", {rows}, 0, scale}};
  return shapes;
}

result<loss_shapes> label_shapes(const shape& outputs) {
  TROUPE_TRY(check("the input of a loss of classes", outputs, 2, 3));
  return loss_shapes{outputs, {outputs.begin(), outputs.end() - 1}};
}

result<loss_shapes> element_shapes(const shape& outputs) {
  TROUPE_TRY(check("the input of a loss", outputs, 1, 8));
  return loss_shapes{outputs, outputs};
}

result<void> check_ids(const char* what, view ids, size_t bound) {
  auto limit = static_cast<float>(bound);
  for (auto id : ids)
    if (!(id >= 0 && id < limit && id == std::floor(id)))
      return {errc::invalid, std::string(what) + " " + std::to_string(id)
                               + " is not a whole number from 0 to below " + std::to_string(bound)
                               + ": mend the data, or give the network more of them."};
  return {};
}

} // namespace troupe::kernels
