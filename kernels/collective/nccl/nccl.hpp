// Ranks with a GPU each, over NCCL. In the plug-in for GPUs: cuda::plugin::join_nccl() is the way
// to it.
//
// `over` is a group that the same ranks have joined before, with the same numbers: NCCL's id is
// spread over it, and the ranks compare their calls over it before they use NCCL, because NCCL by
// itself waits for ever for a rank that calls something else, and does not notice a death. The two
// live and die together: `over` outlives the group, is used by the same thread and by all ranks in
// the same order, and is aborted with it.
// - Rows are memory of the device; others are refused (errc::invalid). What wrote a row has to have
//   ended when the call begins. Memory of allocate() is registered with NCCL.
// - bf16 and f16 are added up in f32, which moves twice the bytes; see native_halves.
// - A mean multiplies each input by 1 / size before it adds them; of integers it divides the sum.
// - Results are bit-identical between runs on the same machines with the same NCCL and settings.
// - A rank that dies while NCCL runs is noticed by what `over` hears of it, some 0.1 s later, or by
//   the deadline.
// - Each rank needs a device of its own: NCCL refuses two on one.
#pragma once

#include "kernels/collective/collective.hpp"

namespace troupe::collective {

struct nccl_options {
  int device = 0; // of this process, as CUDA numbers them

  // false: saves an exchange over `over` before each operation; ranks that call different things
  // then get errc::deadline, or wrong data.
  bool compare_calls = true;

  // true: bf16 and f16 are added up in their own type, rounded at each step, at half the bytes.
  bool native_halves = false;

  // true: when an operation fails, the communicator is kept, for a later group to be made from.
  // Needs NCCL 2.28.9.
  bool may_shrink = false;

  // A group of join_nccl(), with may_shrink, of more ranks, and those of its ranks that are no
  // more: the communicator is made from that one, which takes less time than from nothing. The
  // remaining ranks keep their order. Either all ranks give it or none. The earlier group may go
  // afterwards.
  group* parent = nullptr;
  std::vector<uint32_t> gone{};
};

// The options' rank and size are those of `over`; the deadline is for joining and each operation.
// Errors: invalid, when two ranks have one device; unavailable, when a rank's device cannot be
// used; deadline; aborted.
result<std::unique_ptr<group>> join_nccl(const group_options& options, group& over,
                                         const nccl_options& more);

} // namespace troupe::collective
