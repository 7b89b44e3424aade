// Group commit: one writer thread takes what has gathered while the last sync ran, and makes it
// durable with one synced write. Callers never wait.
//
// Threads: submit may be called from any thread, also from a `done`. Every `done` is called on the
// writer thread and has to be short: it delays the commits after it.
// Limits: `waiting_max` bytes wait; a submit above it gets errc::queue_full.
// The destructor commits what waits, calls its `done`s and ends the thread; it may not run on the
// writer thread.
#pragma once

#include "storage/committer.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace troupe::storage {

struct commit_queue_limits {
  size_t waiting_max = 64 << 20; // bytes that wait to be committed
  size_t group_max = 4 << 20;    // bytes of one synced write, unless a single batch is larger
};

class commit_queue final : public committer {
public:
  // `target` outlives this.
  explicit commit_queue(store& target, commit_queue_limits bounds = {});
  ~commit_queue() override;

  commit_queue(const commit_queue&) = delete;
  commit_queue& operator=(const commit_queue&) = delete;

  result<void> submit(batch changes, done then) override;
  commit_stats stats() const override;

private:
  struct entry {
    batch changes;
    done then;
  };

  void write_until_stopped();
  result<void> write(std::vector<entry>& group);
  std::vector<entry> take_group();

  store& target_;
  const commit_queue_limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::vector<entry> waiting_;
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  commit_stats stats_;
  error failed_;       // the writer thread's own
  std::thread writer_; // last: it uses all of the above
};

} // namespace troupe::storage
