#include "actors/packages/work_directories.hpp"

#include "actors/packages/disk_package_cache.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

namespace troupe {

namespace {

namespace fs = std::filesystem;

result<void> link(const fs::path& from, const fs::path& to) {
  std::error_code none;
  // Not across file systems, nor beyond the links that a file may have.
  if (fs::is_regular_file(fs::symlink_status(from, none)) && ::link(from.c_str(), to.c_str()) == 0)
    return {};
  // Relative: what is above both need not be open to the user of a task.
  if (::symlink(from.lexically_relative(to.parent_path()).c_str(), to.c_str()) == 0)
    return {};
  if (errno == EEXIST)
    return {errc::invalid, "two resources of the task have the entry '" + to.filename().string()
                             + "'; name one of them differently"};
  return {errc::io, "cannot link '" + to.string() + "': " + std::strerror(errno)
                      + "; check the room on its disk, and who owns it"};
}

} // namespace

work_directories::work_directories(std::string root, std::string packages,
                                   storage::tree_remover& remover)
  : root_(std::move(root)), packages_(std::move(packages)), remover_(remover) {}

std::string work_directories::path_of(const task_id_msg& task) const {
  return root_ + "/" + std::to_string(task.job) + "/" + std::to_string(task.attempt) + "/"
         + task.type + "-" + std::to_string(task.index);
}

result<std::string> work_directories::make(const start_task_msg& order) {
  auto path = path_of(*order.task);
  remover_.remove(path);
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed)
    return {errc::io, "cannot make the working directory '" + path + "': " + failed.message()
                        + "; check the room on its disk, and who owns it"};
  for (auto& each : order.resources)
    TROUPE_TRY(lay_out(path, *each));
  return path;
}

result<void> work_directories::lay_out(const std::string& path, const resource_msg& what) const {
  auto tree = package_tree(packages_, what.hash);
  // So that an agent that starts later knows what was used last.
  std::error_code none;
  fs::last_write_time(fs::path{tree}.parent_path(), fs::file_time_type::clock::now(), none);
  if (what.kind == resource_kind::file)
    return link(tree + "/file", path + "/" + what.name);
  if (what.name != ".")
    return link(tree, path + "/" + what.name);
  for (auto& entry : fs::directory_iterator{tree, none})
    TROUPE_TRY(link(entry.path(), path + "/" + entry.path().filename().string()));
  return {};
}

std::string work_directories::programs(const start_task_msg& order) const {
  std::string out;
  for (auto& each : order.resources)
    if (!each->programs.empty())
      out += path_of(*order.task) + "/" + each->name + "/" + each->programs + ":";
  return out;
}

void work_directories::remove(const task_id_msg& task) {
  auto path = path_of(task);
  remover_.remove(path);
  std::error_code used; // by another task of the attempt, or of the job
  fs::path above = fs::path{path}.parent_path();
  if (fs::remove(above, used))
    fs::remove(above.parent_path(), used);
}

void work_directories::keep_only(const std::vector<task_id_msg>& tasks) {
  std::set<std::string> kept;
  for (auto& each : tasks)
    kept.insert(path_of(each));
  std::error_code none;
  for (auto& job : fs::directory_iterator{root_, none}) {
    for (auto& attempt : fs::directory_iterator{job.path(), none}) {
      for (auto& task : fs::directory_iterator{attempt.path(), none})
        if (!kept.contains(task.path().string()))
          remover_.remove(task.path().string());
      fs::remove(attempt.path(), none); // if it is empty
    }
    fs::remove(job.path(), none);
  }
}

} // namespace troupe
