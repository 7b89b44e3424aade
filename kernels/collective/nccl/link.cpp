#include "kernels/collective/nccl/link.hpp"

#include "kernels/cuda/status.hpp"

#include <sched.h>

#include <algorithm>
#include <future>
#include <memory>
#include <thread>

namespace troupe::collective::nccl {
namespace {

constexpr duration look_interval = std::chrono::milliseconds(100);
// A rank that is done may leave while this one still waits for its own last bytes.
constexpr duration grace = std::chrono::milliseconds(500);
constexpr duration farewell = std::chrono::seconds(5); // for a communicator to end in peace

// Polls until `done`, which returns a result<bool>. The device is watched by a processor: it saves
// the 10 us or more that waking up takes, and yields to whoever has work.
template <class Done>
result<void> await(const Done& done, const limits& ends) {
  auto until = ends.until;
  auto next_look = now() + look_interval;
  std::optional<error> gone;
  for (;;) {
    auto finished = done();
    if (!finished)
      return finished.error();
    if (*finished)
      return {};
    if (ends.aborted && *ends.aborted)
      return {errc::aborted, "the group was aborted by this rank: make a new generation."};
    auto time = now();
    if (ends.over && !gone && time >= next_look) {
      next_look = time + look_interval;
      if (auto seen = ends.over->look(); !seen) {
        gone = seen.error();
        until = std::min(until, time + grace);
      }
    }
    if (time >= until && gone)
      return *gone;
    if (time >= until)
      return {errc::deadline, "the GPUs of the other ranks did not do their part in time: make a "
                              "new generation without the rank that hangs."};
    sched_yield();
  }
}

} // namespace

communicator::~communicator() {
  cudaSetDevice(device_);
  if (made_ && !stopped_) {
    auto code = ncclCommFinalize(made_);
    limits ends{now() + farewell, nullptr, nullptr};
    if ((code == ncclSuccess || code == ncclInProgress) && settle(ends))
      end_with(ncclCommDestroy);
  }
  abort();
  if (done_)
    cudaEventDestroy(done_);
  if (stream_)
    cudaStreamDestroy(stream_);
}

result<void> communicator::open() {
  TROUPE_TRY(cuda::check(cudaSetDevice(device_), "take device " + std::to_string(device_)));
  // Ahead of the computation: what waits for a gradient is the slowest rank's next step.
  int least = 0;
  int greatest = 0;
  TROUPE_TRY(cuda::check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "rank streams"));
  TROUPE_TRY(cuda::check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest),
                         "make a stream"));
  return cuda::check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "make an event");
}

result<void> communicator::make(const beginning& begin, communicator* parent, const limits& ends) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  auto code = begin(&made_, &config);
  // A thread of NCCL's makes the child and tells by the parent that it has; the child is there, and
  // its place is written, not before.
  auto made
    = parent ? parent->took(code == ncclSuccess ? ncclInProgress : code, ends) : took(code, ends);
  if (made && parent && !made_)
    made = error{errc::internal, "NCCL made no communicator of the earlier one: join without it."};
  if (made && parent)
    made = settle(ends);
  if (made)
    return {};
  if (parent) // or it would write to this one later
    parent->abort();
  abort();
  return made;
}

error communicator::failure(ncclResult_t code) const {
  auto remote = code == ncclRemoteError;
  std::string text = remote ? "NCCL lost another rank" : "NCCL failed";
  text += std::string(" (") + ncclGetErrorString(code);
  if (const auto* last = ncclGetLastError(made_); last && *last)
    text += std::string("; ") + last;
  return {remote ? errc::aborted : errc::internal,
          text + "): make a new generation; NCCL_DEBUG=INFO in the environment tells more."};
}

result<void> communicator::settle(const limits& ends) {
  return await(
    [this]() -> result<bool> {
      auto state = ncclSuccess;
      auto code = ncclCommGetAsyncError(made_, &state);
      if (code != ncclSuccess)
        return failure(code);
      if (state != ncclSuccess && state != ncclInProgress)
        return failure(state);
      return state == ncclSuccess;
    },
    ends);
}

result<void> communicator::took(ncclResult_t code, const limits& ends) {
  if (code != ncclSuccess && code != ncclInProgress)
    return failure(code);
  return code == ncclSuccess ? result<void>{} : settle(ends);
}

result<void> communicator::run(const enqueueing& enqueue, const limits& ends) {
  TROUPE_TRY(cuda::check(cudaSetDevice(device_), "take device " + std::to_string(device_)));
  TROUPE_TRY(enqueue());
  TROUPE_TRY(cuda::check(cudaEventRecord(done_, stream_), "mark the end of an operation"));
  return await(
    [this]() -> result<bool> {
      auto code = cudaEventQuery(done_);
      if (code == cudaSuccess)
        return true;
      if (code != cudaErrorNotReady)
        return cuda::check(code, "exchange data with other ranks").error();
      cudaGetLastError(); // it is none
      auto state = ncclSuccess;
      if (ncclCommGetAsyncError(made_, &state) != ncclSuccess
          || (state != ncclSuccess && state != ncclInProgress))
        return failure(state);
      return false;
    },
    ends);
}

void communicator::stop() {
  if (!usable())
    return;
  stopped_ = true;
  cudaSetDevice(device_);
  if (may_shrink_ && revoke())
    return;
  abort();
}

bool communicator::revoke() {
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 9)
  auto code = ncclCommRevoke(made_, NCCL_REVOKE_DEFAULT);
  limits ends{now() + farewell, nullptr, nullptr};
  revoked_ = (code == ncclSuccess || code == ncclInProgress) && settle(ends);
#endif
  return revoked_;
}

void communicator::abort() {
  stopped_ = true;
  revoked_ = false;
  if (made_)
    end_with(ncclCommAbort);
}

// Not waited for beyond the farewell: NCCL may wait for a process of this host that stands still.
void communicator::end_with(ncclResult_t (*how)(ncclComm_t)) {
  auto ended = std::make_shared<std::promise<void>>();
  auto waits = ended->get_future();
  std::thread([how, ended, made = std::exchange(made_, nullptr), device = device_] {
    cudaSetDevice(device);
    how(made);
    ended->set_value();
  }).detach();
  waits.wait_for(farewell);
}

} // namespace troupe::collective::nccl
