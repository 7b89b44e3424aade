// A control group for one task: what the kernel lets it use, and who is in it, wherever they fled.
//
// Version 1 (a hierarchy for each of memory, cpu and pids) and version 2, below the group that this
// process is in. Memory is a hard limit, swap included; cpus are a weight, so that a task may use
// what others leave, and cannot take what is theirs; processes are a hard limit.
// Guarantees: nothing is made by halves; end() leaves no process of the group and no directory. One
// that was killed before its end is cleared away by the next one that is made.
// Cost: the first process that joins waits for the kernel's RCU, 3 to 20 ms; those that join within
// the same milliseconds do not. So a task joins before it starts if its memory is limited, and else
// when it has run for a while (task_process.hpp).
// Threads: one at a time; join() may be called between vfork and exec.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace troupe {

struct group_limits {
  uint64_t memory = 0;            // bytes; 0: no limit
  uint32_t cpus = 1;              // the weight is 1024 for each, or 100
  uint32_t processes = 16384;     // and threads
  std::vector<dev_t> denied = {}; // character devices that it may not open, where rights suffice
};

class control_group {
public:
  // Made by process `owner`, at the end of which it is nobody's. `proc` is /proc, but for tests.
  // errc::unavailable: the kernel, or our rights, do not have it.
  static result<control_group> make(pid_t owner, const group_limits& limits,
                                    const std::string& proc = "/proc");
  control_group(control_group&&) = default;
  control_group& operator=(control_group&&) = default;
  ~control_group();

  // The calling process joins it.
  bool join() const noexcept;

  // Process `id` joins it, with all its threads. False: it has ended, or may not be moved.
  bool take(pid_t id) const noexcept;

  // The files that a process writes 0 to, to join it.
  std::vector<std::string> member_files() const;

  // Whether the kernel has killed a process of it for the limit of its memory.
  bool ran_out_of_memory() const;

  // Kills every process of it, and removes it.
  void end();

private:
  struct part {
    std::string path;
    owned_fd members;
  };

  control_group() = default;
  result<void> add(const std::string& controller, const std::string& path);
  result<void> limit(const group_limits& limits);
  void deny(const std::vector<dev_t>& devices);

  std::map<std::string, part> parts_; // by controller; "" is version 2, which has all
  bool limits_memory_ = false;
};

// Whether this process could make one. It may change, as rights do.
bool has_control_groups(const std::string& proc = "/proc");

// The calling process joins the groups that process `whom` is in. False: it is in none that we may
// write to, or joining failed.
bool join_groups_of(pid_t whom, const std::string& proc = "/proc");

// To be called once by a process before it starts others that start tasks: version 2 has groups
// with limits only below a group without processes, so this process moves aside. That helps where
// its group has no processes but ours: a unit of systemd with Delegate=yes, or a container. Changes
// nothing for version 1, or without the right to.
void make_room_for_control_groups(const std::string& proc = "/proc");

} // namespace troupe
