#include "tests/tidy/rules.hpp"

#include "tests/tidy/tables.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace troupe::tidy {

namespace {

constexpr size_t file_lines_max = 400;
constexpr size_t test_lines_max = 600;
constexpr size_t function_lines_max = 70;
constexpr size_t line_columns_max = 100;
constexpr size_t record_lines_max = 60;

bool under_any(std::string_view path, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](auto prefix) { return path.starts_with(prefix); });
}

bool has_file(const tree& files, std::string_view path) {
  auto found = std::lower_bound(
    files.begin(), files.end(), path,
    [](const source_file& file, std::string_view wanted) { return file.path < wanted; });
  return found != files.end() && found->path == path;
}

std::string_view folder_of(std::string_view path) {
  auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash + 1);
}

std::string_view name_of(std::string_view path) {
  return path.substr(folder_of(path).size());
}

// A header of the standard library or of the system: no path, or a folder of the kernel's or
// libc's.
bool is_system_header(std::string_view header) {
  static const std::set<std::string_view> plain{
    "cxxabi.h",    "dirent.h", "dlfcn.h",  "errno.h",  "fcntl.h",   "grp.h",   "ifaddrs.h",
    "immintrin.h", "netdb.h",  "omp.h",    "poll.h",   "pthread.h", "pwd.h",   "sched.h",
    "signal.h",    "spawn.h",  "stdlib.h", "syslog.h", "termios.h", "unistd.h"};
  if (under_any(header, {"sys/", "netinet/", "arpa/", "linux/", "net/"}))
    return true;
  return header.find_first_of("./") == std::string_view::npos || plain.contains(header);
}

// The width in characters: a byte that continues a UTF-8 sequence is none.
size_t columns_of(std::string_view line) {
  return static_cast<size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  }));
}

template <class Rule>
findings each_cpp(const tree& files, Rule rule) {
  findings found;
  for (auto& file : files)
    if (is_cpp(file.path))
      rule(file, found);
  return found;
}

} // namespace

findings include_arrows(const tree& files) {
  return each_cpp(files, [&](const source_file& file, findings& found) {
    auto rows = arrows();
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const arrow& each) { return file.path.starts_with(each.from); });
    if (row == rows.end()) {
      found.push_back({"include_arrows", file.path, 0, "the folder has no row in arrows()"});
      return;
    }
    for (auto& [line, quoted, target] : includes_of(file.text)) {
      if (!quoted || target == "troupe_generated.h")
        continue;
      auto near = std::string{folder_of(file.path)} + target;
      auto local = target.find('/') == std::string::npos && has_file(files, near);
      if (local)
        continue;
      if (!has_file(files, target))
        found.push_back({"include_arrows", file.path, line,
                         target + " is no file of the tree: name it from the top"});
      else if (!under_any(target, row->to))
        found.push_back({"include_arrows", file.path, line,
                         target + " may not be included from " + std::string{row->from}});
    }
  });
}

findings third_party(const tree& files) {
  return each_cpp(files, [](const source_file& file, findings& found) {
    for (auto& [line, quoted, target] : includes_of(file.text)) {
      if ((quoted && target != "troupe_generated.h") || is_system_header(target))
        continue;
      auto rows = foreign_headers();
      auto row = std::find_if(rows.begin(), rows.end(), [&header = target](const foreign& each) {
        return header.starts_with(each.header);
      });
      if (row == rows.end())
        found.push_back(
          {"third_party", file.path, line,
           target + " has no row in foreign_headers(): name the file that may see it"});
      else if (!under_any(file.path, row->in))
        found.push_back({"third_party", file.path, line,
                         target + " may only be seen by the files that foreign_headers() names"});
    }
  });
}

findings file_length(const tree& files) {
  return each_cpp(files, [](const source_file& file, findings& found) {
    auto bound = file.path.starts_with("tests/") ? test_lines_max : file_lines_max;
    auto lines = lines_of(file.text).size();
    if (lines > bound)
      found.push_back(
        {"file_length", file.path, 0,
         std::to_string(lines) + " lines, limit " + std::to_string(bound) + ": split it"});
  });
}

findings function_length(const tree& files) {
  return each_cpp(files, [](const source_file& file, findings& found) {
    for (auto& body : functions_of(file.text)) {
      auto lines = body.last_line - body.first_line + 1;
      if (lines > function_lines_max)
        found.push_back({"function_length", file.path, body.first_line,
                         "a function of " + std::to_string(lines) + " lines, limit "
                           + std::to_string(function_lines_max) + ": split it"});
    }
  });
}

findings line_length(const tree& files) {
  findings found;
  for (auto& file : files) {
    if (!is_cpp(file.path) && !file.path.ends_with(".py"))
      continue;
    size_t number = 0;
    for (auto line : lines_of(file.text)) {
      ++number;
      if (columns_of(line) > line_columns_max)
        found.push_back({"line_length", file.path, number,
                         std::to_string(columns_of(line)) + " columns, limit "
                           + std::to_string(line_columns_max)});
    }
  }
  return found;
}

findings header_form(const tree& files) {
  return each_cpp(files, [](const source_file& file, findings& found) {
    if (!is_header(file.path))
      return;
    if (!file.text.starts_with("//"))
      found.push_back({"header_form", file.path, 1, "the first line says what the header is for"});
    if (file.text.find("\n#pragma once\n") == std::string::npos)
      found.push_back({"header_form", file.path, 1, "#pragma once is missing"});
  });
}

findings file_names(const tree& files) {
  static const std::set<std::string_view> banned{"util",    "utils",   "common", "helper",
                                                 "helpers", "manager", "impl",   "misc"};
  findings found;
  for (auto& file : files) {
    std::string_view rest = file.path;
    while (!rest.empty()) {
      auto slash = std::min(rest.find('/'), rest.size());
      auto stem = rest.substr(0, slash);
      stem = stem.substr(0, stem.find('.'));
      // Each word of the name: job_manager is no better than manager.
      for (size_t begin = 0; begin < stem.size();) {
        auto end = std::min(stem.find_first_of("_-", begin), stem.size());
        if (auto word = stem.substr(begin, end - begin); banned.contains(word))
          found.push_back(
            {"file_names", file.path, 0,
             std::string{word}.append(": says nothing; name the one concept that it holds")});
        begin = end + 1;
      }
      rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
  }
  return found;
}

findings banned_calls(const tree& files) {
  return each_cpp(files, [](const source_file& file, findings& found) {
    auto code = code_of(file.text);
    size_t number = 0;
    for (auto line : lines_of(code)) {
      ++number;
      for (auto& each : bans())
        if (has_word(line, each.call) && !under_any(file.path, each.in))
          found.push_back({"banned_calls", file.path, number,
                           std::string{each.call} + ": " + std::string{each.instead}});
    }
  });
}

findings loose_ends(const tree& files) {
  // Written in two parts so that this file does not find itself.
  static const std::array<std::string, 2> marks{std::string{"TO"} + "DO",
                                                std::string{"FIX"} + "ME"};
  findings found;
  for (auto& file : files) {
    size_t number = 0;
    for (auto line : lines_of(file.text)) {
      ++number;
      for (auto& mark : marks)
        if (has_word(line, mark))
          found.push_back({"loose_ends", file.path, number, mark + ": finish it, or leave it out"});
    }
  }
  return found;
}

findings machine_paths(const tree& files) {
  static const std::array<std::string, 4> paths{
    std::string{"/wo"} + "rk/", std::string{"/ro"} + "ot/", std::string{"/ho"} + "me/",
    std::string{"shared/"} + "notes"};
  findings found;
  for (auto& file : files) {
    size_t number = 0;
    for (auto line : lines_of(file.text)) {
      ++number;
      for (auto& path : paths)
        if (line.find(path) != std::string_view::npos)
          found.push_back(
            {"machine_paths", file.path, number,
             path + " is a path of one machine: take it as an option, or name it from the top"});
    }
  }
  return found;
}

findings listed_in_cmake(const tree& files) {
  findings found;
  for (auto& file : files) {
    auto is_list = name_of(file.path) == "CMakeLists.txt" || file.path.ends_with(".cmake");
    if (is_list && file.text.find(std::string{"GLOB"} + " ") != std::string::npos)
      found.push_back({"listed_in_cmake", file.path, 0, "sources are listed by name, not globbed"});
    if (!file.path.ends_with(".cpp"))
      continue;
    auto is_listed = std::any_of(files.begin(), files.end(), [&](const source_file& list) {
      if (name_of(list.path) != "CMakeLists.txt")
        return false;
      auto folder = folder_of(list.path);
      auto below = file.path.starts_with(folder)
                   && has_word(list.text, std::string_view{file.path}.substr(folder.size()));
      return below || list.text.find("${CMAKE_SOURCE_DIR}/" + file.path) != std::string::npos;
    });
    if (!is_listed)
      found.push_back({"listed_in_cmake", file.path, 0, "no CMakeLists.txt names it"});
  }
  return found;
}

findings readme_folders(const tree& files) {
  std::set<std::string> folders;
  std::set<std::string> named;
  for (auto& file : files) {
    auto slash = file.path.find('/');
    if (slash != std::string::npos && file.path.front() != '.')
      folders.insert(file.path.substr(0, slash));
    if (file.path != "README.md")
      continue;
    for (auto line : lines_of(file.text)) {
      auto end = line.find("/` |");
      if (line.starts_with("| `") && end != std::string_view::npos)
        named.emplace(line.substr(3, end - 3));
    }
  }
  findings found;
  for (auto& folder : folders)
    if (!named.contains(folder))
      found.push_back({"readme_folders", "README.md", 0, "the folder table misses " + folder});
  for (auto& folder : named)
    if (!folders.contains(folder))
      found.push_back({"readme_folders", "README.md", 0, "there is no folder " + folder});
  return found;
}

findings record_length(const tree& files) {
  findings found;
  for (auto& file : files)
    if (file.path.starts_with("docs/adr/") && lines_of(file.text).size() > record_lines_max)
      found.push_back(
        {"record_length", file.path, 0,
         "a decision record is one page: " + std::to_string(record_lines_max) + " lines"});
  return found;
}

// Each hunk, without what it adds, has to stand in its file as it is.
findings planted_patches(const tree& files) {
  findings found;
  for (auto& file : files) {
    if (!file.path.ends_with(".patch"))
      continue;
    const source_file* target = nullptr;
    std::string before;
    size_t number = 0, begin = 0;
    auto end_hunk = [&] {
      if (!before.empty()
          && (!target || ("\n" + target->text).find("\n" + before) == std::string::npos))
        found.push_back({"planted_patches", file.path, begin,
                         "it changes lines that are not there: make the patch anew"});
      before.clear();
    };
    for (auto line : lines_of(file.text)) {
      ++number;
      if (line.starts_with("--- a/")) {
        end_hunk();
        auto named = std::find_if(files.begin(), files.end(),
                                  [&](auto& x) { return x.path == line.substr(6); });
        target = named == files.end() ? nullptr : &*named;
      } else if (line.starts_with("@@")) {
        end_hunk();
        begin = number;
      } else if (line.starts_with("-") || line.starts_with(" ")) {
        before.append(line.substr(1)).append("\n");
      }
    }
    end_hunk();
  }
  return found;
}

findings all_rules(const tree& files) {
  findings found;
  for (auto rule : {include_arrows, third_party, file_length, function_length, line_length,
                    header_form, file_names, banned_calls, loose_ends, machine_paths,
                    listed_in_cmake, readme_folders, record_length, planted_patches, fault_table}) {
    auto more = rule(files);
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

findings without_exceptions(const findings& found, std::span<const exception> allowed) {
  findings left;
  std::set<size_t> used;
  for (auto& each : found) {
    auto row = std::find_if(allowed.begin(), allowed.end(), [&](const exception& exception) {
      return exception.rule == each.rule && exception.path == each.path;
    });
    if (row == allowed.end())
      left.push_back(each);
    else
      used.insert(static_cast<size_t>(row - allowed.begin()));
  }
  for (size_t i = 0; i < allowed.size(); ++i)
    if (!used.contains(i))
      left.push_back({std::string{allowed[i].rule}, std::string{allowed[i].path}, 0,
                      "the exception is no longer needed: take its row out"});
  return left;
}

} // namespace troupe::tidy
