#include "storage/tree_links.hpp"

#include <deque>
#include <string_view>
#include <vector>

namespace troupe::storage {

namespace {

constexpr int hops_max = 40;

// Puts the parts of a target before those that are still to be walked.
void walk_first(std::string_view target, std::deque<std::string>& rest) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= target.size();) {
    auto end = std::min(target.find('/', begin), target.size());
    parts.emplace_back(target.substr(begin, end - begin));
    begin = end + 1;
  }
  rest.insert(rest.begin(), parts.begin(), parts.end());
}

} // namespace

bool tree_links::stays_inside(const std::string& path) const {
  std::string here; // "" is the root, else "/a/b"
  std::deque<std::string> rest;
  walk_first(path, rest);
  for (int hops = 0; !rest.empty();) {
    if (++steps_ > steps_max)
      return false;
    auto part = std::move(rest.front());
    rest.pop_front();
    if (part.empty() || part == ".")
      continue;
    if (part == "..") {
      if (here.empty())
        return false;
      here.erase(here.rfind('/'));
      continue;
    }
    auto next = here + "/" + part;
    auto link = links_.find(next.substr(1));
    if (link == links_.end()) {
      here = std::move(next);
      continue;
    }
    if (++hops > hops_max || link->second.starts_with('/'))
      return false;
    walk_first(link->second, rest);
  }
  return true;
}

} // namespace troupe::storage
