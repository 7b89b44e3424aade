// The sum of all ranks' gradients, taken in buckets while the backward pass still runs.
//
// Gradients become final from the end of the row to its beginning, and so do buckets; the first one
// is small, so that the link is busy early. The buckets depend on the length of the row only: all
// ranks reduce the same ones in the same order. Source: Li et al., "PyTorch Distributed:
// experiences on accelerating data parallel training", VLDB 2020, section 3.2.
//
// Threads: one at a time; a thread of its own, where there is more than one bucket, calls the group
// between ready() and the end of finish() or abandon().
#pragma once

#include "kernels/collective/collective.hpp"
#include "kernels/device.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace troupe::training {

// Who trains together. Not to be destroyed before the trainer has left.
struct gang_groups {
  collective::group* ranks = nullptr; // takes rows of the process; null: a rank of its own

  // The same ranks, and takes rows of their devices (join_nccl). Null: rows of a device are copied
  // to the process and back, in buckets.
  collective::group* devices = nullptr;
};

class gradient_exchange {
public:
  // A row on `device`. A rank of its own has the sums already. The groups and the device outlive
  // the exchange. Errors: those of the groups and the device.
  static result<std::unique_ptr<gradient_exchange>> make(const gang_groups& gang,
                                                         kernels::device& device, size_t elements);

  ~gradient_exchange();
  gradient_exchange(const gradient_exchange&) = delete;
  gradient_exchange& operator=(const gradient_exchange&) = delete;

  std::span<float> row() { return row_->row<float>().first(elements_); }

  // The elements from this one on are final, as soon as the device has done what it was given. Not
  // to be called again with a later one. Errors: those of the device.
  result<void> ready(size_t from);

  // All are: returns when the row holds the sums. Errors: those of the group and the device.
  result<void> finish();

  // The step has failed: leaves off with the next bucket. The group has to be left when one was
  // begun.
  void abandon();

private:
  gradient_exchange(kernels::device& device, size_t elements)
    : device_(device), elements_(elements), ready_from_(elements) {}

  result<void> open(const gang_groups& gang);
  std::span<float> bucket_of(memory& all, size_t index) const;
  result<void> mark_written(size_t from);
  bool is_next_ready() const;
  result<void> reduce(size_t index, kernels::work_mark* written);
  void reduce_next(std::unique_lock<std::mutex>& lock);
  result<void> end_step(std::unique_lock<std::mutex>& lock);
  void run();

  kernels::device& device_;
  size_t elements_;
  collective::group* gang_ = nullptr;
  std::unique_ptr<memory> row_;
  std::unique_ptr<memory> staged_;          // the row in the process, where the group needs that
  std::unique_ptr<kernels::device> beside_; // copies to it and back, while device_ computes
  std::vector<size_t> begins_;              // of the buckets, falling

  std::mutex mutex_; // of all below
  std::condition_variable changed_;
  size_t ready_from_;
  // Of each bucket that is ready: when the device has written it; null on the processor.
  std::vector<std::shared_ptr<kernels::work_mark>> written_;
  size_t next_ = 0;      // bucket
  bool reduces_ = false; // one of the threads does
  bool ends_ = false;
  result<void> done_;
  std::thread thread_;
};

} // namespace troupe::training
