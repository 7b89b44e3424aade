#include "kernels/cuda/device.hpp"

#include "kernels/cuda/launch.hpp"
#ifdef TROUPE_HAS_CUDNN
#include "kernels/cuda/session.hpp"
#endif
#include "kernels/cuda/status.hpp"

#include <algorithm>
#include <cstring>

namespace troupe::cuda {
namespace {

constexpr size_t locked_bytes = size_t{4} << 20; // a batch of images

class device_memory final : public memory {
public:
  device_memory(int number, void* data, size_t bytes)
    : number_(number), data_(data), bytes_(bytes) {}
  ~device_memory() override {
    cudaSetDevice(number_);
    cudaDeviceSynchronize(); // work that was given may still use it
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

// An event in a stream.
class event_mark final : public kernels::work_mark {
public:
  explicit event_mark(int number) : number_(number) {}
  ~event_mark() override {
    if (event_)
      cudaEventDestroy(event_);
  }
  event_mark(const event_mark&) = delete;
  event_mark& operator=(const event_mark&) = delete;

  result<void> record(cudaStream_t stream) {
    TROUPE_TRY(
      check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync),
            "make an event"));
    return check(cudaEventRecord(event_, stream), "mark its work");
  }

  result<void> wait() override {
    TROUPE_TRY(check(cudaSetDevice(number_), "take its device"));
    return check(cudaEventSynchronize(event_), "finish its work");
  }

private:
  int number_;
  cudaEvent_t event_ = nullptr;
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
    if (read_)
      cudaEventDestroy(read_);
    cudaFreeHost(locked_);
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

  bool is_processor() const override { return false; }

  result<std::unique_ptr<memory>> allocate(size_t bytes) override {
    TROUPE_TRY(take());
    void* data = nullptr;
    TROUPE_TRY(check(cudaMalloc(&data, std::max<size_t>(bytes, 1)),
                     "allocate " + std::to_string(bytes) + " bytes"));
    auto made = std::make_unique<device_memory>(number_, data, bytes);
    TROUPE_TRY(check(cudaMemsetAsync(data, 0, bytes, stream_), "clear memory"));
    TROUPE_TRY(synchronise());
    return std::unique_ptr<memory>(std::move(made));
  }

  // What is short goes through locked memory, which the device reads some time later.
  result<void> put(void* there, const void* here, size_t bytes) override {
    if (bytes == 0)
      return {};
    TROUPE_TRY(take());
    auto is_short = bytes <= locked_bytes;
    if (is_short) {
      TROUPE_TRY(make_locked());
      memcpy(locked_, here, bytes);
      here = locked_;
    }
    TROUPE_TRY(check(cudaMemcpyAsync(there, here, bytes, cudaMemcpyHostToDevice, stream_), "copy"));
    return is_short ? check(cudaEventRecord(read_, stream_), "mark a copy") : synchronise();
  }

  result<void> get(void* here, const void* there, size_t bytes) override {
    if (bytes == 0)
      return {};
    TROUPE_TRY(take());
    TROUPE_TRY(check(cudaMemcpyAsync(here, there, bytes, cudaMemcpyDeviceToHost, stream_), "copy"));
    return synchronise();
  }

  result<void> add(kernels::view x, kernels::mutable_view y) override {
    TROUPE_ASSERT(x.size() == y.size());
    TROUPE_TRY(take());
    cuda::add(stream_, x.size(), x.data(), y.data());
    return check(cudaGetLastError(), "start an addition");
  }

  result<double> sum_of_squares(kernels::view x) override {
    if (!sums_) {
      auto made = allocate(sizeof(loss_result) + element_terms * sizeof(double));
      if (!made)
        return made.error();
      sums_ = *std::move(made);
    }
    TROUPE_TRY(take());
    auto* there = reinterpret_cast<loss_result*>(sums_->bytes().data());
    cuda::sum_of_squares(stream_, x.size(), x.data(), reinterpret_cast<double*>(there + 1), there);
    TROUPE_TRY(check(cudaGetLastError(), "start a sum"));
    loss_result got;
    TROUPE_TRY(get(&got, there, sizeof(got)));
    return got.sum;
  }

  result<std::unique_ptr<kernels::work_mark>> mark() override {
    TROUPE_TRY(take());
    auto made = std::make_unique<event_mark>(number_);
    TROUPE_TRY(made->record(stream_));
    return std::unique_ptr<kernels::work_mark>(std::move(made));
  }

  result<std::unique_ptr<kernels::device>> beside() override {
    auto made = cuda::open_device(number_);
    if (!made)
      return made.error();
    return std::unique_ptr<kernels::device>(*std::move(made));
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
    return cuda::make_backend(*this, stream_, products);
#else
    return {errc::unavailable, "this plug-in for GPUs has no operators: build it where cuBLAS and "
                               "cuDNN are found."};
#endif
  }

private:
  // Memory that may be written: what lay there has been read.
  result<void> make_locked() {
    if (read_)
      return check(cudaEventSynchronize(read_), "copy");
    TROUPE_TRY(check(cudaMallocHost(&locked_, locked_bytes), "lock memory"));
    return check(cudaEventCreateWithFlags(&read_, cudaEventDisableTiming), "make an event");
  }

  result<void> take() {
    return check(cudaSetDevice(number_), "take device " + std::to_string(number_));
  }

  int number_;
  std::string name_;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<memory> sums_;
  void* locked_ = nullptr; // of locked_bytes
  cudaEvent_t read_ = nullptr;
};

} // namespace

result<std::unique_ptr<device>> open_device(int number) {
  auto made = std::make_unique<stream_device>(number);
  TROUPE_TRY(made->open());
  return std::unique_ptr<device>(std::move(made));
}

} // namespace troupe::cuda
