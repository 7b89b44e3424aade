// What a rank of a gang computes with: the processor, or a GPU.
//
//   auto on = compute::open(computing::any);
//   network net((*on)->backend().where()); ...
//   auto devices = (*on)->join(ranks, deadline);
//   training.join({&ranks, devices->get()});
//
// Threads: one at a time.
#pragma once

#include "kernels/collective/collective.hpp"
#include "kernels/op.hpp"

namespace troupe::training {

enum class computing {
  any, // a GPU where the process has one that can be used, else the processor
  processor,
  gpu
};

class compute {
public:
  // Of several GPUs the one with this number: CUDA_VISIBLE_DEVICES names those of the process, and
  // Troupe names a task's own there. Errors: those of the plug-in for GPUs, where one is wanted
  // (not_found, unavailable); internal, when oneDNN finds no engine.
  static result<std::unique_ptr<compute>> open(computing wanted, int gpu = 0);

  virtual ~compute() = default;

  virtual const kernels::backend& backend() const = 0;

  // For people: "onednn on the processor", "NVIDIA H100 (CUDA 13.0, NCCL 2.28.9)".
  virtual std::string describe() const = 0;

  // The group of the same ranks that adds up rows of their GPUs, for gang_groups::devices: over
  // NCCL where each rank has a GPU of its own, else null. All ranks call it together. `ranks`
  // outlives it. Errors: those of joining a group; invalid, when some ranks have a GPU and some
  // have none.
  virtual result<std::unique_ptr<collective::group>> join(collective::group& ranks,
                                                          duration deadline)
    = 0;
};

} // namespace troupe::training
