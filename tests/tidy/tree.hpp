// The tracked files of a source tree, and the views of one file that the rules look at.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::tidy {

struct source_file {
  std::string path; // from the top of the tree, with '/'
  std::string text;
};

using tree = std::vector<source_file>;

// What git tracks below `top`, as it is on disk now; where git or its index is missing, every file
// that is neither hidden nor built. Sorted by path.
result<tree> read_tree(const std::filesystem::path& top);

// C++ sources and headers.
bool is_cpp(std::string_view path);
bool is_header(std::string_view path);

std::vector<std::string_view> lines_of(std::string_view text);

// The text with comments and the contents of literals replaced by blanks: lines and columns stay.
std::string code_of(std::string_view text);

struct include_line {
  size_t line;
  bool quoted;
  std::string target;
};

std::vector<include_line> includes_of(std::string_view text);

struct function_body {
  size_t first_line;
  size_t last_line;
};

// Bodies of functions that stand in a namespace or a class, from brace to brace. A scan, not a
// parse: it relies on the formatting that clang-format gives.
std::vector<function_body> functions_of(std::string_view text);

// Where `word` stands by itself: not as a part of a longer identifier.
bool has_word(std::string_view line, std::string_view word);

} // namespace troupe::tidy
