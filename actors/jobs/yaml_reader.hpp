// A YAML file as its author sees it: every complaint names the place and the mend. The base of what
// reads one kind of file. The first error stays; what is read after it does not matter.
#pragma once

#include "runtime/base/result.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

class yaml_reader {
public:
  const std::optional<error>& failed() const { return failed_; }

protected:
  using keys = std::vector<std::string_view>;

  static constexpr size_t text_shown = 64; // of what was read, in an error text

  // `file`: its name, for complaints. `parameters`: for ${NAME}.
  yaml_reader(std::string file, const std::map<std::string, std::string>& parameters)
    : file_(std::move(file)), parameters_(parameters) {}

  void fail(const std::string& path, const YAML::Node& at, const std::string& text);

  // `tasks.worker.instances=4` as if it stood in the file.
  void override_with(YAML::Node& root, const std::string& change);

  // Calls f(key, value, path) for each entry of a map whose keys are known and come once; every key
  // is known where `allowed` is empty.
  template <class F>
  void each_key(const YAML::Node& map, const std::string& path, const keys& allowed, F f) {
    if (!map.IsMap())
      return fail(path, map, name_of(path) + " is not a map: write `key: value` lines");
    std::set<std::string> seen;
    for (auto entry : map) {
      auto below = check_key(entry.first, path, allowed, seen);
      if (failed_)
        return;
      f(entry.first.Scalar(), entry.second, below);
      if (failed_)
        return;
    }
  }

  std::string text(const YAML::Node& x, const std::string& path);
  uint32_t number(const YAML::Node& x, const std::string& path, uint32_t least);
  std::vector<std::string> texts(const YAML::Node& x, const std::string& path);

  // One of a few words, as its place in `allowed`.
  size_t choice(const YAML::Node& x, const std::string& path, const keys& allowed);

  const std::string file_;

private:
  static std::string name_of(const std::string& path) { return path.empty() ? "the file" : path; }
  std::string check_key(const YAML::Node& key, const std::string& path, const keys& allowed,
                        std::set<std::string>& seen);
  std::string substitute(const std::string& x) const;

  const std::map<std::string, std::string>& parameters_;
  std::set<std::string> forced_;
  std::optional<error> failed_;
};

} // namespace troupe
