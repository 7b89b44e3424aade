#include "kernels/cuda/device.hpp"
#include "kernels/cuda/status.hpp"

#ifdef TROUPE_HAS_NCCL
#include <nccl.h>
#endif
#ifdef TROUPE_HAS_CUDNN
#include <cudnn.h>
#endif

namespace troupe::cuda {
namespace {

class cuda_plugin final : public plugin {
public:
  std::string versions() const override {
    auto text = "CUDA " + std::to_string(CUDART_VERSION / 1000) + "."
                + std::to_string(CUDART_VERSION % 1000 / 10);
#ifdef TROUPE_HAS_NCCL
    text += ", NCCL " + std::to_string(NCCL_MAJOR) + "." + std::to_string(NCCL_MINOR) + "."
            + std::to_string(NCCL_PATCH);
#endif
#ifdef TROUPE_HAS_CUDNN
    text += ", cuDNN " + std::to_string(CUDNN_MAJOR) + "." + std::to_string(CUDNN_MINOR) + "."
            + std::to_string(CUDNN_PATCHLEVEL);
#endif
    return text;
  }

  result<int> count_devices() const override {
    int count = 0;
    TROUPE_TRY(check(cudaGetDeviceCount(&count), "be found"));
    return count;
  }

  result<std::unique_ptr<device>> open_device(int number) const override {
    return cuda::open_device(number);
  }

  bool has_nccl() const override {
#ifdef TROUPE_HAS_NCCL
    return true;
#else
    return false;
#endif
  }

  result<std::unique_ptr<collective::group>>
  join_nccl([[maybe_unused]] const collective::group_options& options,
            [[maybe_unused]] collective::group& over,
            [[maybe_unused]] const collective::nccl_options& more) const override {
#ifdef TROUPE_HAS_NCCL
    return collective::join_nccl(options, over, more);
#else
    return {errc::unavailable, "this plug-in for GPUs has no NCCL: build it where NCCL is found."};
#endif
  }
};

} // namespace
} // namespace troupe::cuda

extern "C" troupe::cuda::plugin* troupe_cuda_plugin(uint32_t version) {
  return version == troupe::cuda::interface_version ? new troupe::cuda::cuda_plugin : nullptr;
}
