// The packages that a master holds, each in a file that is named by its hash:
//
//   DIRECTORY/HASH         whole, checked, on disk
//   DIRECTORY/HASH.part    on its way
//
// A package that is named by no job is removed an hour after it was last asked for or brought: it
// may be that of a job that is about to be submitted. What is found at the start counts as asked
// for then.
// Threads: every method from any thread; none waits for content, sweep() not for removals either.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/bulk_content.hpp"
#include "storage/tree_remover.hpp"

#include <map>
#include <mutex>
#include <set>

namespace troupe {

class package_store {
public:
  // errc::io if the directory cannot be made.
  static result<std::unique_ptr<package_store>> open(std::string directory, const clock& time);

  package_store(std::string directory, const clock& time);

  // Also asks for it.
  bool holds(const std::string& hash);

  // errc::not_found if it is not here.
  result<std::shared_ptr<bulk_source>> source(const std::string& hash);

  // Takes it in. errc::already_exists from its begin() while another takes in the same.
  std::shared_ptr<bulk_sink> sink(const std::string& hash);

  // Removes what no job names and nobody asked for, for `kept`.
  void sweep(const std::set<std::string>& named, duration kept = std::chrono::hours{1});

private:
  std::string path_of(const std::string& hash) const { return directory_ + "/" + hash; }
  void arrived(const std::string& hash);

  const std::string directory_;
  const clock& time_;
  storage::tree_remover remover_;
  std::mutex mutex_;                        // guards all below
  std::map<std::string, time_point> whole_; // by hash: when it was last asked for
  std::map<std::string, time_point> parts_; // by hash: when it was last begun
};

} // namespace troupe
