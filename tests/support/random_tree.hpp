// A directory as a map, the simplest model of it: drawn, edited, written to a disk and read back.
#pragma once

#include "runtime/base/random.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace troupe {

struct model_file {
  char kind = 'f';     // 'f', 'x' (a program), 'l' (a link), 'd' (an empty folder)
  std::string content; // or the target

  bool operator==(const model_file&) const = default;
};

using model_tree = std::map<std::string, model_file>;

inline std::string any_content(random_source& random) {
  // Mostly short; some of more than one chunk.
  auto longest = random.chance(0.04) ? 300'000u : 3000u;
  std::string out(random.below(longest), static_cast<char>('a' + random.below(4)));
  if (random.chance(0.7))
    for (auto& each : out)
      each = static_cast<char>(random.next() >> 56);
  return out;
}

// Whether `path` can be added: nothing is at it, below it or above it.
inline bool is_free(const model_tree& tree, const std::string& path) {
  auto next = tree.lower_bound(path);
  if (next != tree.end() && (next->first == path || next->first.starts_with(path + "/")))
    return false;
  if (next = tree.lower_bound(path + "/");
      next != tree.end() && next->first.starts_with(path + "/"))
    return false;
  for (auto end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1))
    if (tree.contains(path.substr(0, end)))
      return false;
  return true;
}

inline void edit(model_tree& tree, random_source& random) {
  static const std::string names[] = {"a", "b", "a-b", "a.b", "c d", "\xc3\xa4", "e", "f"};
  auto any_name = [&] {
    return random.chance(0.3) ? names[random.below(8)] : std::to_string(random.below(40));
  };
  auto path = any_name();
  for (auto depth = random.below(3); depth > 0; --depth)
    path.append("/").append(any_name());
  auto found = tree.begin();
  if (!tree.empty())
    std::advance(found, random.below(tree.size()));
  auto what = random.below(10);
  if (what < 6 && is_free(tree, path)) {
    constexpr std::string_view kinds = "ffffxld";
    auto& added = tree[path];
    added.kind = kinds[random.below(kinds.size())];
    if (added.kind == 'l' && path.ends_with('a')) // to itself
      added.kind = 'f';
    if (added.kind == 'l')
      added.content = random.chance(0.5) ? "a" : "./nowhere";
    else if (added.kind != 'd')
      added.content = any_content(random);
  } else if (tree.empty()) {
    return;
  } else if (what < 7) {
    tree.erase(found);
  } else if (found->second.kind == 'f' || found->second.kind == 'x') {
    auto& content = found->second.content;
    if (what == 7)
      found->second.kind = found->second.kind == 'f' ? 'x' : 'f';
    else if (what == 8)
      content.insert(random.below(content.size() + 1), any_content(random));
    else if (!content.empty())
      content[random.below(content.size())] ^= 1;
  }
}

// Makes the directory so, changing no file that is right already.
inline void write_tree(const model_tree& tree, const std::string& root) {
  namespace fs = std::filesystem;
  model_tree there;
  auto read = [&](const fs::path& path) {
    std::ifstream in{path, std::ios::binary};
    return std::string{std::istreambuf_iterator<char>{in}, {}};
  };
  fs::create_directories(root);
  for (auto each = fs::recursive_directory_iterator{root};
       each != fs::recursive_directory_iterator{};) {
    auto name = each->path().lexically_relative(root).string();
    auto path = each->path();
    auto is_folder = each->is_directory() && !each->is_symlink();
    auto wanted = tree.find(name);
    ++each;
    if (!is_folder
        && (wanted == tree.end() || (wanted->second.kind != 'f' && wanted->second.kind != 'x')))
      fs::remove(path);
  }
  for (auto& [name, item] : tree) {
    auto path = root + "/" + name;
    for (auto end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1))
      if (auto above = root + "/" + name.substr(0, end); !fs::is_directory(above))
        fs::remove(above);
    if (item.kind == 'd') {
      fs::remove_all(path);
      fs::create_directories(path);
      continue;
    }
    if (fs::is_directory(fs::symlink_status(path)))
      fs::remove_all(path);
    fs::create_directories(fs::path{path}.parent_path());
    if (item.kind == 'l') {
      fs::remove(path);
      fs::create_symlink(item.content, path);
      continue;
    }
    if (!fs::exists(path) || read(path) != item.content)
      std::ofstream{path, std::ios::binary | std::ios::trunc} << item.content;
    if (auto mode = item.kind == 'x' ? 0755u : 0644u;
        (static_cast<unsigned>(fs::status(path).permissions()) & 0777) != mode)
      ::chmod(path.c_str(), mode);
  }
  // Folders that nothing is in any more.
  for (bool again = true; again;) {
    again = false;
    for (auto& each : fs::recursive_directory_iterator{root}) {
      if (each.is_symlink() || !each.is_directory() || !fs::is_empty(each.path())
          || tree.contains(each.path().lexically_relative(root).string()))
        continue;
      fs::remove(each.path());
      again = true;
      break;
    }
  }
}

inline model_tree read_tree_of(const std::string& root) {
  namespace fs = std::filesystem;
  model_tree out;
  for (auto& each : fs::recursive_directory_iterator{root}) {
    auto name = each.path().lexically_relative(root).string();
    if (each.is_symlink()) {
      out[name] = {'l', fs::read_symlink(each.path()).string()};
    } else if (each.is_directory()) {
      if (fs::is_empty(each.path()))
        out[name] = {'d', ""};
    } else {
      std::ifstream in{each.path(), std::ios::binary};
      auto mode = static_cast<unsigned>(each.status().permissions()) & 0777;
      out[name] = {mode == 0755   ? 'x'
                   : mode == 0644 ? 'f'
                                  : '?',
                   {std::istreambuf_iterator<char>{in}, {}}};
    }
  }
  return out;
}

} // namespace troupe
