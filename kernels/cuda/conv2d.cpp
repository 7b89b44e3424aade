#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/session.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace troupe::cuda {
namespace {

constexpr float one = 1;
constexpr float zero = 0;

int extent(size_t x) {
  return static_cast<int>(x);
}

// What cuDNN guesses to be quickest of those that give the same bits each time and round no
// operands. `ask` gets room for guesses.
template <class Guess, class Ask>
result<Guess> quickest(const Ask& ask) {
  std::array<Guess, 16> guesses{};
  int count = 0;
  TROUPE_TRY(
    check(ask(static_cast<int>(guesses.size()), &count, guesses.data()), "plan a convolution"));
  for (const auto& each : std::span(guesses).first(static_cast<size_t>(count)))
    if (each.status == CUDNN_STATUS_SUCCESS && each.determinism == CUDNN_DETERMINISTIC
        && (each.mathType == CUDNN_FMA_MATH || each.mathType == CUDNN_DEFAULT_MATH))
      return each;
  return {errc::unavailable, "cuDNN has no convolution of these shapes on this GPU that gives the "
                             "same bits each time: use another kernel size or stride."};
}

// cuDNN wants rows that begin at such addresses; the parameters of a network lie anywhere.
bool lies_well(const float* row) {
  return reinterpret_cast<uintptr_t>(row) % 16 == 0;
}

class conv2d final : public op {
public:
  conv2d(shared_session on, kernels::op_shapes shapes, bool relu)
    : op(std::move(shapes)), on_(std::move(on)), relu_(relu) {}
  ~conv2d() override {
    cudnnDestroyTensorDescriptor(in_);
    cudnnDestroyTensorDescriptor(out_);
    cudnnDestroyFilterDescriptor(filter_);
    cudnnDestroyConvolutionDescriptor(how_);
  }

  result<void> describe(const kernels::conv2d_options& options) {
    TROUPE_TRY(on_->take());
    TROUPE_TRY(describe(in_, input_shape()));
    TROUPE_TRY(describe(out_, output_shape()));
    TROUPE_TRY(check(cudnnCreateFilterDescriptor(&filter_), "describe a filter"));
    auto kernel = extent(options.kernel);
    TROUPE_TRY(check(cudnnSetFilter4dDescriptor(filter_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW,
                                                extent(options.channels), extent(input_shape()[1]),
                                                kernel, kernel),
                     "describe a filter"));
    TROUPE_TRY(check(cudnnCreateConvolutionDescriptor(&how_), "describe a convolution"));
    auto padding = extent(options.padding);
    auto stride = extent(options.stride);
    TROUPE_TRY(check(cudnnSetConvolution2dDescriptor(how_, padding, padding, stride, stride, 1, 1,
                                                     CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                     "describe a convolution"));
    // f32 is f32: no rounding of operands to 19 bits.
    TROUPE_TRY(check(cudnnSetConvolutionMathType(how_, CUDNN_FMA_MATH), "take a precision"));
    return plan();
  }

private:
  static result<void> describe(cudnnTensorDescriptor_t& tensor, const kernels::shape& of) {
    TROUPE_TRY(check(cudnnCreateTensorDescriptor(&tensor), "describe an array"));
    return check(cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT,
                                            extent(of[0]), extent(of[1]), extent(of[2]),
                                            extent(of[3])),
                 "describe an array");
  }

  result<void> plan() {
    auto forward = quickest<cudnnConvolutionFwdAlgoPerf_t>([&](int most, int* count, auto* into) {
      return cudnnGetConvolutionForwardAlgorithm_v7(on_->dnn(), in_, filter_, how_, out_, most,
                                                    count, into);
    });
    TROUPE_TRY(forward);
    auto data = quickest<cudnnConvolutionBwdDataAlgoPerf_t>([&](int most, int* count, auto* into) {
      return cudnnGetConvolutionBackwardDataAlgorithm_v7(on_->dnn(), filter_, out_, how_, in_, most,
                                                         count, into);
    });
    TROUPE_TRY(data);
    auto filter
      = quickest<cudnnConvolutionBwdFilterAlgoPerf_t>([&](int most, int* count, auto* into) {
          return cudnnGetConvolutionBackwardFilterAlgorithm_v7(on_->dnn(), in_, out_, how_, filter_,
                                                               most, count, into);
        });
    TROUPE_TRY(filter);
    forward_way_ = forward->algo;
    data_way_ = data->algo;
    filter_way_ = filter->algo;
    auto sums = output_shape()[1] * column_parts * sizeof(double);
    room_ = std::max({forward->memory, data->memory, filter->memory, sums});
    return {};
  }

  result<void> copy(float* to, const float* from) {
    return check(cudaMemcpyAsync(to, from, offset_of(1) * sizeof(float), cudaMemcpyDeviceToDevice,
                                 on_->stream()),
                 "copy a filter");
  }

  // The weights, or their copy.
  result<const float*> weights_of(view parameters) {
    if (lies_well(parameters.data()))
      return parameters.data();
    auto room = weights_.reserve(offset_of(1) * sizeof(float));
    TROUPE_TRY(room);
    auto* copied = static_cast<float*>(*room);
    TROUPE_TRY(copy(copied, parameters.data()));
    return static_cast<const float*>(copied);
  }

  result<void> differentiate_filter(view input, view slope, void* room, float* to) {
    auto* into = to;
    if (!lies_well(to)) {
      auto aside = weights_gradient_.reserve(offset_of(1) * sizeof(float));
      TROUPE_TRY(aside);
      into = static_cast<float*>(*aside);
    }
    TROUPE_TRY(
      check(cudnnConvolutionBackwardFilter(on_->dnn(), &one, in_, input.data(), out_, slope.data(),
                                           how_, filter_way_, room, room_, &zero, filter_, into),
            "differentiate a convolution"));
    return into == to ? result<void>{} : copy(to, into);
  }

  size_t plane() const { return output_shape()[2] * output_shape()[3]; }

  result<void> run_forward(const pass&, view input, view weights, mutable_view output) override {
    TROUPE_TRY(on_->take());
    auto room = on_->workspace(room_);
    TROUPE_TRY(room);
    auto filter = weights_of(weights);
    TROUPE_TRY(filter);
    TROUPE_TRY(
      check(cudnnConvolutionForward(on_->dnn(), &one, in_, input.data(), filter_, *filter, how_,
                                    forward_way_, *room, room_, &zero, out_, output.data()),
            "convolve"));
    add_bias(on_->stream(), output_shape()[0], output_shape()[1], plane(),
             weights.data() + offset_of(1), relu_.wanted(), output.data());
    TROUPE_TRY(relu_.keep(*on_, output));
    return session::started();
  }

  result<void> run_backward(view input, view weights, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    TROUPE_TRY(on_->take());
    auto room = on_->workspace(room_);
    TROUPE_TRY(room);
    auto slope = relu_.backward(*on_, output_gradient);
    TROUPE_TRY(slope);
    TROUPE_TRY(differentiate_filter(input, *slope, *room, parameter_gradient.data()));
    sum_columns(on_->stream(), output_shape()[0], output_shape()[1], plane(), slope->data(),
                static_cast<double*>(*room), parameter_gradient.data() + offset_of(1));
    if (input_gradient.empty())
      return session::started();
    auto filter = weights_of(weights);
    TROUPE_TRY(filter);
    TROUPE_TRY(check(cudnnConvolutionBackwardData(on_->dnn(), &one, filter_, *filter, out_,
                                                  slope->data(), how_, data_way_, *room, room_,
                                                  &zero, in_, input_gradient.data()),
                     "differentiate a convolution"));
    return session::started();
  }

  shared_session on_;
  fused_relu relu_;
  cudnnTensorDescriptor_t in_ = nullptr;
  cudnnTensorDescriptor_t out_ = nullptr;
  cudnnFilterDescriptor_t filter_ = nullptr;
  cudnnConvolutionDescriptor_t how_ = nullptr;
  cudnnConvolutionFwdAlgo_t forward_way_{};
  cudnnConvolutionBwdDataAlgo_t data_way_{};
  cudnnConvolutionBwdFilterAlgo_t filter_way_{};
  size_t room_ = 0; // that the products need, one after the other
  scratch weights_;
  scratch weights_gradient_;
};

} // namespace

made_op make_conv2d(shared_session on, kernels::op_shapes shapes,
                    const kernels::conv2d_options& options) {
  auto made = std::make_unique<conv2d>(std::move(on), std::move(shapes), options.relu);
  TROUPE_TRY(made->describe(options));
  return std::unique_ptr<op>(std::move(made));
}

} // namespace troupe::cuda
