// Another user for a task's processes.
#pragma once

#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace troupe {

struct task_user {
  uid_t id = 0;
  gid_t group = 0;
  std::vector<gid_t> groups; // all of them

  // The calling process is this user from now on, for good. Safe between vfork and exec.
  bool become() const noexcept;
};

// errc::not_found: this machine has no such user.
result<task_user> find_task_user(const std::string& name);

} // namespace troupe
