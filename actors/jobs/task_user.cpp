#include "actors/jobs/task_user.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace troupe {

// The plain system calls: those of the C library change every thread of the process that waits.
bool task_user::become() const noexcept {
  return ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0
         && ::syscall(SYS_setresgid, group, group, group) == 0
         && ::syscall(SYS_setresuid, id, id, id) == 0;
}

result<task_user> find_task_user(const std::string& name) {
  std::array<char, 16384> room{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
  if (!found)
    return {errc::not_found, "there is no user '" + name
                               + "' on this node: create it, or choose "
                                 "another with --task-user"};
  task_user out{found->pw_uid, found->pw_gid, std::vector<gid_t>(64)};
  auto count = static_cast<int>(out.groups.size());
  if (::getgrouplist(name.c_str(), out.group, out.groups.data(), &count) < 0) {
    out.groups.resize(static_cast<size_t>(count));
    ::getgrouplist(name.c_str(), out.group, out.groups.data(), &count);
  }
  out.groups.resize(static_cast<size_t>(count));
  return out;
}

} // namespace troupe
