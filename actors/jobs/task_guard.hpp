// Kills what an executor leaves behind: one process for all executors of a node.
//
//   fork server --fork--> guard
//                           ^
//   executors  -------------+  watch(group, pidfd of the executor), forget(group)
//
// Guarantees
// - When a process that watches a group ends before it forgot the group, however it ends, every
//   process of the group gets SIGKILL. No other process is needed for that.
// - The guard ends when nobody is left who could call watch(), and no group is left.
// - A guard that runs out of descriptors kills the group that it cannot watch.
// Threads: all but start() may be called from any thread, and by a forked process.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"

#include <sys/types.h>

namespace troupe {

class task_guard {
public:
  // Forks the guard. To be called while this process has one thread and no children, and before it
  // forks those that watch.
  static result<task_guard> start();

  // Both may be called between vfork and exec. False: the guard has ended.
  bool watch(pid_t group, int owner) const noexcept; // `owner`: the pidfd of an executor
  bool forget(pid_t group) const noexcept;

  // The guard, a child of the process that called start().
  pid_t process() const noexcept { return process_; }

private:
  task_guard(pid_t process, owned_fd socket) : process_(process), socket_(std::move(socket)) {}

  pid_t process_;
  owned_fd socket_;
};

} // namespace troupe
