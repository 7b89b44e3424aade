#include "actors/training/compute.hpp"

#include "kernels/cuda/plugin.hpp"
#ifdef TROUPE_HAS_ONEDNN
#include "kernels/onednn/onednn.hpp"
#else
#include "kernels/cpu/cpu.hpp"
#endif

#include <unistd.h>

#include <array>

namespace troupe::training {

namespace {

enum class ability : int32_t { processor, gpu, gpu_with_nccl };

// What all ranks can do. They have to make the same update of the same parameters, to the bit.
result<ability> agree(collective::group& ranks, ability own) {
  std::array<int32_t, 2> bounds{static_cast<int32_t>(own), -static_cast<int32_t>(own)};
  TROUPE_TRY(ranks.allreduce(bounds, collective::reduction::min));
  auto least = static_cast<ability>(bounds[0]);
  if (least == ability::processor && bounds[1] != 0)
    return {errc::invalid, "some ranks compute on a GPU and others on the processor, whose results "
                           "differ in their last bits: give each task a GPU, or none."};
  return least;
}

class on_processor final : public compute {
public:
  explicit on_processor(std::unique_ptr<kernels::backend> backend) : backend_(std::move(backend)) {}

  const kernels::backend& backend() const override { return *backend_; }
  std::string describe() const override {
    return std::string(backend_->name()) + " on the processor";
  }

  result<std::unique_ptr<collective::group>> join(collective::group& ranks, duration) override {
    if (auto all = agree(ranks, ability::processor); !all)
      return all.error();
    return std::unique_ptr<collective::group>{};
  }

private:
  std::unique_ptr<kernels::backend> backend_;
};

class on_gpu final : public compute {
public:
  result<void> open(int number) {
    auto opened = cuda::open();
    if (!opened)
      return opened.error();
    plugin_ = *std::move(opened);
    auto device = plugin_->open_device(number);
    if (!device)
      return device.error();
    device_ = *std::move(device);
    auto backend = device_->make_backend(kernels::precision::f32);
    if (!backend)
      return backend.error();
    backend_ = *std::move(backend);
    return {};
  }

  const kernels::backend& backend() const override { return *backend_; }
  std::string describe() const override {
    return device_->name() + " (" + plugin_->versions() + ")";
  }

  result<std::unique_ptr<collective::group>> join(collective::group& ranks,
                                                  duration deadline) override {
    auto all = agree(ranks, plugin_->has_nccl() ? ability::gpu_with_nccl : ability::gpu);
    TROUPE_TRY(all);
    if (*all == ability::gpu)
      return std::unique_ptr<collective::group>{};
    collective::group_options options;
    options.rank = ranks.rank();
    options.size = ranks.size();
    options.secret = "those that met in `ranks`";
    options.deadline = deadline;
    // Buckets are the same on all ranks by construction: calls need not be compared.
    auto joined
      = plugin_->join_nccl(options, ranks, {.device = device_->number(), .compare_calls = false});
    if (!joined && joined.error().code == errc::invalid) // two ranks have the same GPU
      return std::unique_ptr<collective::group>{};
    return joined;
  }

private:
  std::unique_ptr<cuda::plugin> plugin_;
  std::unique_ptr<cuda::device> device_;
  std::unique_ptr<kernels::backend> backend_;
};

// The fastest that is built in.
result<std::unique_ptr<kernels::backend>> make_processor_backend() {
#ifdef TROUPE_HAS_ONEDNN
  return kernels::onednn::make_backend();
#else
  return kernels::cpu::make_backend();
#endif
}

// Opening CUDA's libraries takes longer than a short training.
bool has_driver() {
  return access("/dev/nvidiactl", F_OK) == 0;
}

} // namespace

result<std::unique_ptr<compute>> compute::open(computing wanted, int gpu) {
  if (wanted == computing::gpu || (wanted == computing::any && has_driver())) {
    auto made = std::make_unique<on_gpu>();
    auto opened = made->open(gpu);
    if (opened)
      return std::unique_ptr<compute>(std::move(made));
    if (wanted == computing::gpu)
      return opened.error();
  }
  auto backend = make_processor_backend();
  if (!backend)
    return backend.error();
  return std::unique_ptr<compute>(std::make_unique<on_processor>(*std::move(backend)));
}

} // namespace troupe::training
