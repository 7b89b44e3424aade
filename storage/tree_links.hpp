// The symbolic links of a tree of files that is only listed so far: where they lead, found without
// asking a file system. A link that leaves the tree, by itself or by way of others, is told from
// one that does not. Limits: 40 links on one way, as the kernel has it, and `steps_max` steps for
// all questions together; beyond either a link counts as one that leaves. Threads: none of its own;
// not safe for concurrent use.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace troupe::storage {

class tree_links {
public:
  // `path`: below the root, its parts divided by single '/'.
  void add(const std::string& path, const std::string& target) { links_[path] = target; }

  bool contains(const std::string& path) const { return links_.contains(path); }
  const std::map<std::string, std::string>& all() const noexcept { return links_; }

  // Whether whoever follows the link at `path` stays below the root.
  bool stays_inside(const std::string& path) const;

private:
  static constexpr uint64_t steps_max = 20'000'000;

  std::map<std::string, std::string> links_; // path -> target
  mutable uint64_t steps_ = 0;
};

} // namespace troupe::storage
