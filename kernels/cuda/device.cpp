#include "kernels/cuda/device.hpp"

#include "kernels/cuda/launch.hpp"
#ifdef TROUPE_HAS_CUDNN
#include "kernels/cuda/session.hpp"
#endif
#include "kernels/cuda/status.hpp"

#include <algorithm>

namespace troupe::cuda {
namespace {

class device_memory final : public collective::memory {
public:
  device_memory(int number, void* data, size_t bytes)
    : number_(number), data_(data), bytes_(bytes) {}
  ~device_memory() override {
    cudaSetDevice(number_);
    cudaFree(data_);
  }
  device_memory(const device_memory&) = delete;
  device_memory& operator=(const device_memory&) = delete;

  std::span<std::byte> bytes() override { return {static_cast<std::byte*>(data_), bytes_}; }

private:
  int number_;
  void* data_;
  size_t bytes_;
};

class stream_device final : public device {
public:
  explicit stream_device(int number) : number_(number) {}
  ~stream_device() override {
    if (!stream_)
      return;
    cudaSetDevice(number_);
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
  }

  result<void> open() {
    TROUPE_TRY(take());
    cudaDeviceProp facts{};
    TROUPE_TRY(check(cudaGetDeviceProperties(&facts, number_), "describe itself"));
    name_ = facts.name;
    return check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream");
  }

  int number() const override { return number_; }
  std::string name() const override { return name_; }

  result<std::unique_ptr<collective::memory>> allocate(size_t bytes) override {
    TROUPE_TRY(take());
    void* data = nullptr;
    TROUPE_TRY(check(cudaMalloc(&data, std::max<size_t>(bytes, 1)),
                     "allocate " + std::to_string(bytes) + " bytes"));
    auto made = std::make_unique<device_memory>(number_, data, bytes);
    TROUPE_TRY(check(cudaMemsetAsync(data, 0, bytes, stream_), "clear memory"));
    TROUPE_TRY(synchronise());
    return std::unique_ptr<collective::memory>(std::move(made));
  }

  result<void> copy(void* to, const void* from, size_t bytes) override {
    TROUPE_TRY(take());
    if (bytes > 0)
      TROUPE_TRY(check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "copy"));
    return synchronise();
  }

  result<void> add(kernels::view x, kernels::mutable_view y) override {
    TROUPE_ASSERT(x.size() == y.size());
    TROUPE_TRY(take());
    cuda::add(stream_, x.size(), x.data(), y.data());
    return check(cudaGetLastError(), "start an addition");
  }

  result<void> scale(float factor, kernels::mutable_view x) override {
    TROUPE_TRY(take());
    cuda::scale(stream_, x.size(), factor, x.data());
    return check(cudaGetLastError(), "start a scaling");
  }

  result<void> cast(collective::input from, collective::output to) override {
    auto castable = [](collective::element type) {
      return type == collective::element::f32 || collective::size_of(type) == 2;
    };
    TROUPE_ASSERT(from.count == to.count && castable(from.type) && castable(to.type));
    TROUPE_TRY(take());
    cuda::cast(stream_, to, from);
    return check(cudaGetLastError(), "start a rounding");
  }

  result<void> synchronise() override {
    return check(cudaStreamSynchronize(stream_), "finish its work");
  }

  result<std::unique_ptr<kernels::backend>>
  make_backend([[maybe_unused]] kernels::precision products) override {
#ifdef TROUPE_HAS_CUDNN
    TROUPE_TRY(take());
    return cuda::make_backend(number_, stream_, products);
#else
    return {errc::unavailable, "this plug-in for GPUs has no operators: build it where cuBLAS and "
                               "cuDNN are found."};
#endif
  }

private:
  result<void> take() {
    return check(cudaSetDevice(number_), "take device " + std::to_string(number_));
  }

  int number_;
  std::string name_;
  cudaStream_t stream_ = nullptr;
};

} // namespace

result<std::unique_ptr<device>> open_device(int number) {
  auto made = std::make_unique<stream_device>(number);
  TROUPE_TRY(made->open());
  return std::unique_ptr<device>(std::move(made));
}

} // namespace troupe::cuda
