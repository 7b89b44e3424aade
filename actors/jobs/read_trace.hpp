// The files that the processes of a task open for reading, told by the kernel while they run.
//
//   command --open()--> kernel: waits --notification--> read_trace: notes the path, lets it go on
//
// A filter of system calls (seccomp_unotify(2)) is put on the command before it is executed; all
// that it starts inherits it, whatever becomes of their groups, sessions and users. It needs no
// privilege: without CAP_SYS_ADMIN the task gets PR_SET_NO_NEW_PRIVS, and programs such as sudo do
// not work in it.
// Guarantees: a file is noted before it can be read; each path once, in the order of the first
// opens; an open for writing only, of a directory, or that names nothing, is not asked about, or
// not noted.
// Limits: an open waits for this process, tens of microseconds. What is opened through io_uring, by
// another process for it, or by calls of another instruction set is not seen, nor are programs that
// are executed. A task that has such a filter of its own, or runs in something that has, cannot
// have this one. The first 10,000 paths are noted, the others counted.
// Threads: one of its own, from the constructor to stop().
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

struct seccomp_notif;

namespace troupe {

// The child's side, between vfork and exec: it allocates nothing.
class trace_request {
public:
  // errc::io: no socket pair.
  static result<trace_request> make();

  // Puts the filter on the calling process and sends its listener to the other side. Called as the
  // user who forks, and again as the user of the task; the second call does nothing after success.
  void install(bool as_task) noexcept;

  // The parent's side, after the exec: the listener, or why there is none.
  result<owned_fd> listener() const;

private:
  owned_fd read_, write_;
  bool installed_ = false;
};

class read_trace {
public:
  explicit read_trace(owned_fd listener);
  ~read_trace();

  read_trace(const read_trace&) = delete;
  read_trace& operator=(const read_trace&) = delete;

  // Ends the trace; processes that still run can open no file after it. Returns the paths, which
  // are absolute, and adds to `left_out` how many more there were.
  std::vector<std::string> stop(uint64_t& left_out);

  static constexpr size_t paths_max = 10'000;

private:
  void work();
  void note(const seccomp_notif& asked);

  owned_fd listener_;
  owned_fd wake_;
  std::vector<std::string> paths_; // of the thread, until it has ended
  std::set<std::string> known_;
  uint64_t left_out_ = 0;
  std::thread thread_;
};

} // namespace troupe
