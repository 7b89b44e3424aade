#include "kernels/collective/nccl/link.hpp"
#include "kernels/cuda/status.hpp"

#include <algorithm>

namespace troupe::collective::nccl {
namespace {

class registered_memory final : public memory {
public:
  registered_memory(std::shared_ptr<communicator> link, size_t bytes)
    : link_(std::move(link)), bytes_(bytes) {}
  ~registered_memory() override {
    cudaSetDevice(link_->device());
    cudaDeviceSynchronize(); // work that was given, here or elsewhere, may still use it
    // A communicator that has failed holds nothing any more.
    if (handle_ && link_->usable())
      ncclCommDeregister(link_->get(), handle_);
    if (data_)
      ncclMemFree(data_);
  }
  registered_memory(const registered_memory&) = delete;
  registered_memory& operator=(const registered_memory&) = delete;

  std::span<std::byte> bytes() override { return {static_cast<std::byte*>(data_), bytes_}; }

  result<void> take(const limits& ends) {
    auto size = std::max<size_t>(bytes_, 1);
    TROUPE_TRY(cuda::check(cudaSetDevice(link_->device()), "take its device"));
    if (ncclMemAlloc(&data_, size) != ncclSuccess) {
      data_ = nullptr;
      return {errc::unavailable, "the GPU has no " + std::to_string(bytes_)
                                   + " bytes left for rows that ranks share: use less."};
    }
    TROUPE_TRY(cuda::check(cudaMemsetAsync(data_, 0, size, link_->stream()), "clear memory"));
    TROUPE_TRY(cuda::check(cudaStreamSynchronize(link_->stream()), "clear memory"));
    // Where the library cannot register, rows are copied as others are.
    auto code = ncclCommRegister(link_->get(), data_, size, &handle_);
    if (code == ncclInProgress)
      return link_->took(code, ends);
    if (code != ncclSuccess)
      handle_ = nullptr;
    return {};
  }

private:
  std::shared_ptr<communicator> link_;
  size_t bytes_;
  void* data_ = nullptr;
  void* handle_ = nullptr;
};

} // namespace

result<std::unique_ptr<memory>> allocate(std::shared_ptr<communicator> link, size_t bytes,
                                         const limits& ends) {
  auto made = std::make_unique<registered_memory>(std::move(link), bytes);
  TROUPE_TRY(made->take(ends));
  return std::unique_ptr<memory>(std::move(made));
}

} // namespace troupe::collective::nccl
