// Removes trees of files on a thread of its own: a large one takes seconds.
//
// Guarantees: when remove() returns, the tree is not at its path any more. What is not removed when
// the process ends is removed by the next remover of the same folder.
// Threads: remove() from any thread; it does not wait for the removal.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace troupe::storage {

class tree_remover {
public:
  // `folder` is its own, on the file system of what is removed; it is made when it is needed.
  explicit tree_remover(std::string folder);
  ~tree_remover(); // ends what is under way first

  tree_remover(const tree_remover&) = delete;
  tree_remover& operator=(const tree_remover&) = delete;

  void remove(const std::string& path);

private:
  void queue(std::string what);
  void work();

  const std::string folder_;
  std::mutex mutex_; // guards all below
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  uint64_t moved_ = 0;
  bool stopping_ = false;
  std::thread thread_; // from the first on
};

} // namespace troupe::storage
