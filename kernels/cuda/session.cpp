#include "kernels/cuda/session.hpp"

#include "kernels/cuda/launch.hpp"

#include <utility>

namespace troupe::cuda {
namespace {

error library_error(const char* library, const std::string& what, const char* why) {
  return {errc::internal,
          std::string(library) + " failed to " + what + ": " + why
            + "; check that its version fits CUDA's, and that the device has room."};
}

} // namespace

result<void> check(cublasStatus_t code, const std::string& what) {
  if (code == CUBLAS_STATUS_SUCCESS)
    return {};
  return library_error("cuBLAS", what, cublasGetStatusString(code));
}

result<void> check(cudnnStatus_t code, const std::string& what) {
  if (code == CUDNN_STATUS_SUCCESS)
    return {};
  return library_error("cuDNN", what, cudnnGetErrorString(code));
}

result<void*> scratch::reserve(size_t bytes) {
  if (bytes > bytes_) {
    free();
    TROUPE_TRY(check(cudaMalloc(&data_, bytes), "allocate " + std::to_string(bytes) + " bytes"));
    bytes_ = bytes;
  }
  return data_;
}

void scratch::free() {
  if (!data_)
    return;
  cudaDeviceSynchronize(); // work that was given may still use it
  cudaFree(std::exchange(data_, nullptr));
  bytes_ = 0;
}

session::~session() {
  cudaSetDevice(device_);
  if (dnn_)
    cudnnDestroy(dnn_);
  if (blas_)
    cublasDestroy(blas_);
}

result<void> session::open() {
  TROUPE_TRY(check(cublasCreate(&blas_), "start"));
  TROUPE_TRY(check(cublasSetStream(blas_, stream_), "take a stream"));
  // f32 is f32: no rounding of operands to 19 bits.
  TROUPE_TRY(check(cublasSetMathMode(blas_, CUBLAS_DEFAULT_MATH), "take a precision"));
  TROUPE_TRY(check(cudnnCreate(&dnn_), "start"));
  return check(cudnnSetStream(dnn_, stream_), "take a stream");
}

result<void> fused_relu::keep(session& on, mutable_view output) {
  if (!wanted_)
    return {};
  auto kept = kept_.reserve(output.size_bytes());
  TROUPE_TRY(kept);
  return check(cudaMemcpyAsync(*kept, output.data(), output.size_bytes(), cudaMemcpyDeviceToDevice,
                               on.stream()),
               "keep a result");
}

result<view> fused_relu::backward(session& on, view output_gradient) {
  if (!wanted_)
    return output_gradient;
  auto kept = kept_.reserve(output_gradient.size_bytes());
  TROUPE_TRY(kept);
  auto* data = static_cast<float*>(*kept);
  relu_backward(on.stream(), output_gradient.size(), data, output_gradient.data(), data);
  return view(data, output_gradient.size());
}

} // namespace troupe::cuda
