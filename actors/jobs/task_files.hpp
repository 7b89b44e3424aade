// The files that a task used: found, and hashed, when it has ended.
//
// Written by it is each regular file below the output directory of its attempt, or below the
// directory where its command ran, that was made or changed since this object was: by the times
// that the file system keeps, so that nothing has to watch while it runs, a directory that was made
// and filled at once is seen, and what is gone by the end is not. Read by it is what read_trace
// says. What the task tells of itself counts too, wherever it is. Its log and its metrics are named
// as such.
//
// Limits
// - Who of several wrote a file into a directory that they share at the same time cannot be seen: a
//   file of another user is left out, and one that is still written to; one that another process
//   of that user closed meanwhile counts as the task's.
// - A file that was made up to two ticks of the kernel's clock (8 ms) before counts as the task's.
// - Left out: what Troupe itself keeps (its whole directory, the logs of the gang's tasks),
//   directories named .git or __pycache__, links, and what is on another file system than the
//   directory where it was found. A file server whose clock is behind hides what is new.
// - At most `entries_max` files and directories are looked at and `limits::task_files_max` named;
//   where that is not all, the task's log says so and `left_out` counts those that were seen.
// - A file of the program's own surroundings (/usr, /etc, Python's packages and such) is not told
//   as read; nor is one that the task wrote, nor one that is gone, or that its user may not read.
// - Reading ends when `enough` says so: what was not hashed by then is named without a hash.
// - What was hashed is the file as it was at the end of the task.
// Threads: one at a time; look() blocks. It reads files as the user of the task.
#pragma once

#include "actors/jobs/file_uses.hpp"
#include "runtime/base/owned_fd.hpp"

#include <sys/stat.h>

#include <ctime>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct task_places {
  std::string output;    // of the attempt: JOBS/JOB/ATTEMPT, and Troupe's own directory above JOBS
  std::string directory; // where the command runs
  std::string log;
  std::string metrics;         // may be empty, or not there
  std::set<std::string> types; // of the gang, whose logs are in `output`
  std::string user;            // as whom the task runs; empty: as this process
};

class task_files {
public:
  // Before the command starts, after all that is written for it.
  explicit task_files(task_places places);

  // Once, when the processes of the task are gone. A path that is not absolute is one below the
  // directory of the command.
  task_file_uses look(const task_paths& named, const std::function<bool()>& enough);

  static constexpr size_t entries_max = 100'000;

private:
  class walk;

  task_places places_;
  owned_fd output_, directory_; // as they were before the task could replace them
  timespec since_{};
  std::set<std::pair<dev_t, ino_t>> not_entered_;
};

// Whether a file that was opened for reading says anything of the task: one of its programs does
// not.
bool is_data(std::string_view path);

} // namespace troupe
