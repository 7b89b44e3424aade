// The GPUs of this machine, through a shared library that is opened when they are wanted: nothing
// else links CUDA, NCCL, cuBLAS or cuDNN, and a program starts where none of them is.
//
// Rows in the memory of a device go to ops of its backend, to groups of join_nccl(), and to its own
// functions (kernels/device.hpp).
// Threads: a plug-in is used by any number.
#pragma once

#include "kernels/collective/nccl/nccl.hpp"
#include "kernels/op.hpp"

namespace troupe::cuda {

// One GPU, and a stream of work on it.
class device : public kernels::device {
public:
  virtual int number() const = 0;
  virtual std::string name() const = 0;

  // Between f32, bf16 and f16, of one length; rounds to the nearest, ties to even.
  virtual result<void> cast(collective::input from, collective::output to) = 0;

  // Ops return when their work has been given to the device, losses when they have their result.
  // Not to be used after the device.
  // Errors: unavailable, when the plug-in was built without cuBLAS or cuDNN.
  virtual result<std::unique_ptr<kernels::backend>> make_backend(kernels::precision products) = 0;
};

class plugin {
public:
  virtual ~plugin() = default;

  // Of what it was built with: "CUDA 13.0, NCCL 2.28.9".
  virtual std::string versions() const = 0;

  // Errors: unavailable, when there is no driver or no device.
  virtual result<int> count_devices() const = 0;
  virtual result<std::unique_ptr<device>> open_device(int number) const = 0;

  virtual bool has_nccl() const = 0;

  // See nccl.hpp. Errors: unavailable, when it was built without NCCL.
  virtual result<std::unique_ptr<collective::group>>
  join_nccl(const collective::group_options& options, collective::group& over,
            const collective::nccl_options& more) const = 0;
};

// Opens the library at `path`, or libtroupe_cuda.so beside the program. It stays open.
// Errors: not_found, naming the library that is missing; invalid, when it is of another build.
result<std::unique_ptr<plugin>> open(const std::string& path = {});

// Both sides must have been built from one version of what crosses between them.
inline constexpr uint32_t interface_version = 2;
inline constexpr const char* entry_name = "troupe_cuda_plugin";
using entry_type = plugin*(uint32_t version); // nullptr: another version. The caller owns the rest.

} // namespace troupe::cuda
