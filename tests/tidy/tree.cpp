#include "tests/tidy/tree.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace troupe::tidy {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> tracked_paths(const fs::path& top) {
  std::vector<std::string> paths;
  auto command = "git -C '" + top.string() + "' ls-files -z 2>/dev/null </dev/null";
  auto* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr)
    return paths;
  std::string path;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    if (c != 0) {
      path += static_cast<char>(c);
      continue;
    }
    paths.push_back(std::move(path));
    path.clear();
  }
  if (::pclose(pipe) != 0)
    paths.clear();
  return paths;
}

std::vector<std::string> walked_paths(const fs::path& top) {
  std::vector<std::string> paths;
  std::error_code failed;
  fs::recursive_directory_iterator each{top, failed};
  for (; !failed && each != fs::recursive_directory_iterator{}; each.increment(failed)) {
    auto name = each->path().filename().string();
    auto unwanted = name == "build" || name == "__pycache__" || name == ".git" || name == ".cache";
    if (each->is_directory() && unwanted)
      each.disable_recursion_pending();
    else if (each->is_regular_file())
      paths.push_back(fs::relative(each->path(), top).generic_string());
  }
  return paths;
}

bool is_identifier(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Copies code and blanks the rest, one character at a time.
class blanker {
public:
  explicit blanker(std::string_view text) : text_(text), out_(text) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (starts("//"))
        blank_until("\n", 0);
      else if (starts("/*"))
        blank_until("*/", 2);
      else if (starts("R\"") && (at_ == 0 || !is_identifier(text_[at_ - 1])))
        raw_string();
      else if (text_[at_] == '"')
        literal('"');
      else if (text_[at_] == '\'' && (at_ == 0 || !is_identifier(text_[at_ - 1])))
        literal('\'');
      else
        ++at_;
    }
    return std::move(out_);
  }

private:
  bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }

  void blank(size_t end) {
    for (; at_ < end; ++at_)
      if (out_[at_] != '\n')
        out_[at_] = ' ';
  }

  void blank_until(std::string_view closing, size_t extra) {
    auto end = text_.find(closing, at_ + extra);
    blank(end == std::string_view::npos ? text_.size() : end + extra);
  }

  void raw_string() {
    auto open = text_.find('(', at_);
    if (open == std::string_view::npos)
      return blank(text_.size());
    auto closing = std::string{text_.substr(at_ + 1, open - at_ - 1)};
    closing[0] = ')';
    closing += '"';
    blank_until(closing, closing.size());
  }

  void literal(char quote) {
    auto end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n')
      end += text_[end] == '\\' ? 2 : 1;
    ++at_;
    blank(std::min(end, text_.size()));
    at_ = std::min(end + 1, text_.size());
  }

  std::string_view text_;
  std::string out_;
  size_t at_ = 0;
};

// Blanks preprocessor lines and their continuations: a macro's braces belong to its users.
std::string without_preprocessor(std::string code) {
  bool inside = false;
  for (size_t begin = 0; begin < code.size();) {
    auto end = std::min(code.find('\n', begin), code.size());
    auto first = code.find_first_not_of(' ', begin);
    inside = inside || (first < end && code[first] == '#');
    auto goes_on = end > begin && code[end - 1] == '\\';
    if (inside)
      std::fill(code.begin() + static_cast<std::ptrdiff_t>(begin),
                code.begin() + static_cast<std::ptrdiff_t>(end), ' ');
    inside = inside && goes_on;
    begin = end + 1;
  }
  return code;
}

enum class brace { scope, function, other };

brace kind_of(std::string_view head) {
  for (auto keyword : {"namespace", "class", "struct", "enum", "union", "extern"})
    if (has_word(head, keyword) && head.find(')') == std::string_view::npos)
      return brace::scope;
  auto first = head.find_first_not_of(" \n");
  // What follows a member initialiser with braces: the next one, or the body itself.
  if (first == std::string_view::npos || head[first] == ',')
    return brace::function;
  size_t angles = 0;
  for (auto c : head) {
    if (c == '<')
      ++angles;
    else if (c == '>' && angles > 0)
      --angles;
    else if (angles == 0 && (c == '=' || c == '('))
      return c == '(' || has_word(head, "operator") ? brace::function : brace::other;
  }
  return brace::other;
}

} // namespace

result<tree> read_tree(const fs::path& top) {
  auto paths = tracked_paths(top);
  if (paths.empty())
    paths = walked_paths(top);
  std::sort(paths.begin(), paths.end());
  tree files;
  for (auto& path : paths) {
    std::ifstream in{top / path, std::ios::binary};
    if (!in)
      continue; // removed, and the removal is not committed yet
    files.push_back({path, {std::istreambuf_iterator<char>{in}, {}}});
  }
  if (files.empty())
    return {errc::not_found,
            "no source file below " + top.string() + ": run the test from the top of the tree"};
  return files;
}

bool is_header(std::string_view path) {
  return path.ends_with(".hpp") || path.ends_with(".h");
}

bool is_cpp(std::string_view path) {
  return path.ends_with(".cpp") || path.ends_with(".cu") || is_header(path);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string code_of(std::string_view text) {
  return blanker{text}.run();
}

std::vector<include_line> includes_of(std::string_view text) {
  std::vector<include_line> found;
  size_t number = 0;
  for (auto line : lines_of(text)) {
    ++number;
    if (!line.starts_with("#include "))
      continue;
    auto open = line.find_first_of("\"<");
    if (open == std::string_view::npos)
      continue;
    auto close = line.find_first_of("\">", open + 1);
    if (close == std::string_view::npos)
      continue;
    found.push_back(
      {number, line[open] == '"', std::string{line.substr(open + 1, close - open - 1)}});
  }
  return found;
}

std::vector<function_body> functions_of(std::string_view text) {
  auto code = without_preprocessor(code_of(text));
  std::vector<function_body> found;
  std::vector<brace> open;
  size_t line = 1;
  size_t head = 0;
  size_t parentheses = 0;
  size_t nested = 0; // braces inside the function or the value that is being skipped
  size_t first_line = 0;
  for (size_t i = 0; i < code.size(); ++i) {
    auto c = code[i];
    line += c == '\n';
    if (nested > 0) {
      nested += c == '{';
      nested -= c == '}';
      if (nested > 0)
        continue;
      if (open.back() == brace::function)
        found.push_back({first_line, line});
      open.pop_back();
      head = i + 1;
      continue;
    }
    parentheses += c == '(';
    parentheses -= c == ')' && parentheses > 0;
    if (c == '{') {
      open.push_back(kind_of(std::string_view{code}.substr(head, i - head)));
      nested = open.back() != brace::scope;
      first_line = line;
      head = i + 1;
    } else if (c == '}') {
      if (!open.empty())
        open.pop_back();
      head = i + 1;
    } else if (c == ';' && parentheses == 0) {
      head = i + 1;
    }
  }
  return found;
}

bool has_word(std::string_view line, std::string_view word) {
  for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    auto end = at + word.size();
    auto before = at > 0 && is_identifier(word.front()) && is_identifier(line[at - 1]);
    auto after = end < line.size() && is_identifier(word.back()) && is_identifier(line[end]);
    if (!before && !after)
      return true;
  }
  return false;
}

} // namespace troupe::tidy
