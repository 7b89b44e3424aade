// The working directories of the tasks that have resources, one each:
//
//   ROOT/JOB/ATTEMPT/TYPE-INDEX/NAME
//
// A resource that is a file is a hard link to the one in the cache, so that a program finds what
// lies beside it; a directory is a symbolic link. The content is that of all tasks which use the
// package: it is read-only, and a program that writes makes files of its own. One named "." has its
// entries linked in the same way. Threads: one.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"
#include "storage/tree_remover.hpp"

#include <string>
#include <vector>

namespace troupe {

class work_directories {
public:
  // `packages`: the directory of the cache, on the same file system. `remover` outlives this.
  work_directories(std::string root, std::string packages, storage::tree_remover& remover);

  // Makes the directory of a task whose packages are here; an older one is removed. errc::invalid
  // if two resources have the same entry, errc::io.
  result<std::string> make(const start_task_msg& order);

  // The folders of its resources that come first in the PATH, each with a ':' behind it.
  std::string programs(const start_task_msg& order) const;

  // The directory of the cache, where the entries lead.
  const std::string& packages() const noexcept { return packages_; }

  void remove(const task_id_msg& task);

  // After a restart: removes those of all other tasks.
  void keep_only(const std::vector<task_id_msg>& tasks);

private:
  std::string path_of(const task_id_msg& task) const;
  result<void> lay_out(const std::string& path, const resource_msg& what) const;

  const std::string root_;
  const std::string packages_;
  storage::tree_remover& remover_;
};

} // namespace troupe
