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

#include <condition_variable>
#include <mutex>
#include <thread>

namespace troupe::training {

class gradient_exchange {
public:
  // Null for a rank of its own: then the sums are what it has. The group outlives the exchange.
  // Errors: those of the group.
  static result<std::unique_ptr<gradient_exchange>> make(collective::group* gang, size_t elements);

  ~gradient_exchange();
  gradient_exchange(const gradient_exchange&) = delete;
  gradient_exchange& operator=(const gradient_exchange&) = delete;

  std::span<float> row() { return memory_->row<float>().first(elements_); }

  // The elements from this one on are final. Not to be called again with a later one.
  void ready(size_t from);

  // All are: returns when the row holds the sums. Errors: those of the group.
  result<void> finish();

  // The step has failed: leaves off with the next bucket. The group has to be left when one was
  // begun.
  void abandon();

private:
  gradient_exchange(collective::group* gang, std::unique_ptr<collective::memory> memory,
                    size_t elements);

  bool is_next_ready() const;
  void reduce_next(std::unique_lock<std::mutex>& lock);
  result<void> end_step(std::unique_lock<std::mutex>& lock);
  void run();

  collective::group* gang_;
  std::unique_ptr<collective::memory> memory_;
  size_t elements_;
  std::vector<size_t> begins_; // of the buckets, falling

  std::mutex mutex_; // of all below
  std::condition_variable changed_;
  size_t ready_from_;
  size_t next_ = 0;      // bucket
  bool reduces_ = false; // one of the threads does
  bool ends_ = false;
  result<void> done_;
  std::thread thread_;
};

} // namespace troupe::training
