#include "kernels/shapes.hpp"

namespace troupe::kernels {

namespace {

constexpr size_t elements_max = 0x7fffffff;

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

} // namespace

result<op_shapes> conv2d_shapes(const shape& input, const conv2d_options& options) {
  TROUPE_TRY(check("the input of conv2d", input, 4, 4));
  if (options.kernel == 0 || options.stride == 0 || options.padding >= options.kernel)
    return {errc::invalid,
            "conv2d needs a kernel and a stride of at least 1 and a padding below the "
            "kernel: change its options."};
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], options.channels,
                   positions(input[2] + 2 * options.padding, options.kernel, options.stride),
                   positions(input[3] + 2 * options.padding, options.kernel, options.stride)};
  TROUPE_TRY(check("the output of conv2d", shapes.output, 4, 4));
  TROUPE_TRY(check("the weights of conv2d",
                   {options.channels, input[1], options.kernel, options.kernel}, 4, 4));
  shapes.parameters.fan_in = input[1] * options.kernel * options.kernel;
  shapes.parameters.weights = options.channels * shapes.parameters.fan_in;
  shapes.parameters.bias = options.channels;
  return shapes;
}

result<op_shapes> max_pool2d_shapes(const shape& input, const max_pool2d_options& options) {
  TROUPE_TRY(check("the input of max_pool2d", input, 4, 4));
  if (options.kernel == 0 || options.stride == 0)
    return {errc::invalid,
            "max_pool2d needs a kernel and a stride of at least 1: change its options."};
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], input[1], positions(input[2], options.kernel, options.stride),
                   positions(input[3], options.kernel, options.stride)};
  TROUPE_TRY(check("the output of max_pool2d", shapes.output, 4, 4));
  return shapes;
}

result<op_shapes> dense_shapes(const shape& input, size_t features) {
  TROUPE_TRY(check("the input of dense", input, 2, 8));
  op_shapes shapes;
  shapes.input = input;
  shapes.output = {input[0], features};
  shapes.parameters.fan_in = elements(input) / input[0];
  TROUPE_TRY(check("the output of dense", shapes.output, 2, 2));
  TROUPE_TRY(check("the weights of dense", {features, shapes.parameters.fan_in}, 2, 2));
  shapes.parameters.weights = features * shapes.parameters.fan_in;
  shapes.parameters.bias = features;
  return shapes;
}

result<op_shapes> relu_shapes(const shape& input) {
  TROUPE_TRY(check("the input of relu", input, 1, 8));
  op_shapes shapes;
  shapes.input = input;
  shapes.output = input;
  return shapes;
}

result<void> check_logits(const shape& logits) {
  return check("the input of softmax_cross_entropy", logits, 2, 2);
}

} // namespace troupe::kernels
