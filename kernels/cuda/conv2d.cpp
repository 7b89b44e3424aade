#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/session.hpp"

#include <algorithm>

namespace troupe::cuda {
namespace {

// These give the same bits each time, and take any shape.
constexpr auto forward_way = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
constexpr auto data_way = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
constexpr auto filter_way = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;

constexpr float one = 1;
constexpr float zero = 0;

int extent(size_t x) {
  return static_cast<int>(x);
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
    return measure();
  }

private:
  static result<void> describe(cudnnTensorDescriptor_t& tensor, const kernels::shape& of) {
    TROUPE_TRY(check(cudnnCreateTensorDescriptor(&tensor), "describe an array"));
    return check(cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT,
                                            extent(of[0]), extent(of[1]), extent(of[2]),
                                            extent(of[3])),
                 "describe an array");
  }

  // The room that the three products need, one after the other.
  result<void> measure() {
    size_t forward = 0;
    size_t data = 0;
    size_t filter = 0;
    TROUPE_TRY(check(cudnnGetConvolutionForwardWorkspaceSize(on_->dnn(), in_, filter_, how_, out_,
                                                             forward_way, &forward),
                     "plan a convolution"));
    TROUPE_TRY(check(cudnnGetConvolutionBackwardDataWorkspaceSize(on_->dnn(), filter_, out_, how_,
                                                                  in_, data_way, &data),
                     "plan a convolution"));
    TROUPE_TRY(check(cudnnGetConvolutionBackwardFilterWorkspaceSize(on_->dnn(), in_, out_, how_,
                                                                    filter_, filter_way, &filter),
                     "plan a convolution"));
    room_ = std::max({forward, data, filter});
    return {};
  }

  size_t plane() const { return output_shape()[2] * output_shape()[3]; }

  result<void> run_forward(const pass&, view input, view weights, mutable_view output) override {
    TROUPE_TRY(on_->take());
    auto room = on_->workspace(room_);
    TROUPE_TRY(room);
    TROUPE_TRY(
      check(cudnnConvolutionForward(on_->dnn(), &one, in_, input.data(), filter_, weights.data(),
                                    how_, forward_way, *room, room_, &zero, out_, output.data()),
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
    TROUPE_TRY(check(cudnnConvolutionBackwardFilter(on_->dnn(), &one, in_, input.data(), out_,
                                                    slope->data(), how_, filter_way, *room, room_,
                                                    &zero, filter_, parameter_gradient.data()),
                     "differentiate a convolution"));
    sum_columns(on_->stream(), output_shape()[0], output_shape()[1], plane(), slope->data(),
                parameter_gradient.data() + offset_of(1));
    if (!input_gradient.empty())
      TROUPE_TRY(check(cudnnConvolutionBackwardData(on_->dnn(), &one, filter_, weights.data(), out_,
                                                    slope->data(), how_, data_way, *room, room_,
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
  size_t room_ = 0;
};

} // namespace

made_op make_conv2d(shared_session on, kernels::op_shapes shapes,
                    const kernels::conv2d_options& options) {
  auto made = std::make_unique<conv2d>(std::move(on), std::move(shapes), options.relu);
  TROUPE_TRY(made->describe(options));
  return std::unique_ptr<op>(std::move(made));
}

} // namespace troupe::cuda
