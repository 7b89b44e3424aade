// A communicator of NCCL, and the stream that its operations run on.
//
// NCCL never blocks here: the communicator is one that does not, and whatever takes time is polled,
// so that a deadline, an abort or a dead rank ends it.
// Threads: one, but for ended().
#pragma once

#include "kernels/collective/nccl/nccl.hpp"
#include "kernels/collective/operation.hpp"

#include <cuda_runtime.h>
#include <nccl.h>

#include <functional>

namespace troupe::collective::nccl {

// What ends a wait besides what is waited for.
struct limits {
  time_point until;
  group* over = nullptr; // looked at now and then; none: nothing
  const std::atomic<bool>* aborted = nullptr;
};

class communicator {
public:
  communicator(int device, bool may_shrink) : device_(device), may_shrink_(may_shrink) {}
  ~communicator();
  communicator(const communicator&) = delete;
  communicator& operator=(const communicator&) = delete;

  // Takes the device, and makes the stream.
  result<void> open();

  // Joins the ranks: `begin` starts to make the communicator, from `parent` where there is one.
  using beginning = std::function<ncclResult_t(ncclComm_t* made, ncclConfig_t* config)>;
  result<void> make(const beginning& begin, communicator* parent, const limits& ends);

  // Runs what `enqueue` gives to the stream, and waits until it is done.
  using enqueueing = std::function<result<void>()>;
  result<void> run(const enqueueing& enqueue, const limits& ends);

  // Of a call to NCCL inside `enqueue`: waits until the communicator has taken it.
  result<void> took(ncclResult_t code, const limits& ends);

  // Ends what runs on the device. With may_shrink the communicator can still be shrunk.
  void stop();

  int device() const { return device_; }
  cudaStream_t stream() const { return stream_; }
  ncclComm_t get() const { return made_; }
  bool usable() const { return made_ && !stopped_; }
  bool can_shrink() const { return made_ && may_shrink_ && (!stopped_ || revoked_); }

private:
  error failure(ncclResult_t code) const;
  void abort();
  void end_with(ncclResult_t (*how)(ncclComm_t));
  bool revoke();
  // Until the communicator has nothing under way.
  result<void> settle(const limits& ends);

  int device_;
  bool may_shrink_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t done_ = nullptr;
  ncclComm_t made_ = nullptr;
  bool stopped_ = false;
  bool revoked_ = false;
};

// Zeroed memory of the communicator's device, which NCCL reaches without a copy.
result<std::unique_ptr<memory>> allocate(std::shared_ptr<communicator> link, size_t bytes,
                                         const limits& ends);

// Makes the communicator of all ranks of `over`.
result<std::shared_ptr<communicator>> join(const group_options& options, group& over,
                                           const nccl_options& more, communicator* parent,
                                           time_point until);

} // namespace troupe::collective::nccl
