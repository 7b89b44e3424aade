// The table of faults in the failure model: each is tried, or the table says why not.
#include "tests/tidy/rules.hpp"

#include <algorithm>
#include <set>

namespace troupe::tidy {

namespace {

constexpr std::string_view document = "docs/failure_model.md";
constexpr std::string_view heading = "## Faults and their tests";
constexpr std::string_view unnamed = "none: ";
constexpr size_t reason_least = 20;

// "suite.name" of every test of the tree.
std::set<std::string> tests_of(const tree& files) {
  std::set<std::string> out;
  for (auto& file : files) {
    if (!file.path.starts_with("tests/") || !file.path.ends_with(".cpp"))
      continue;
    for (auto at = file.text.find("\nTEST"); at != std::string::npos;
         at = file.text.find("\nTEST", at + 1)) {
      auto open = file.text.find('(', at);
      std::string name;
      for (auto c : file.text.substr(open + 1, file.text.find(')', at) - open - 1))
        if (c == ',')
          name.push_back('.');
        else if (c != ' ' && c != '\n')
          name.push_back(c);
      out.insert(name);
    }
  }
  return out;
}

std::vector<std::string_view> cells_of(std::string_view row) {
  std::vector<std::string_view> out;
  for (size_t begin = 1, end = 0; (end = row.find('|', begin)) != std::string_view::npos;
       begin = end + 1) {
    auto cell = row.substr(begin, end - begin);
    auto first = std::min(cell.find_first_not_of(' '), cell.size());
    out.push_back(cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
  }
  return out;
}

// What stands between backticks.
std::vector<std::string> named_in(std::string_view cell) {
  std::vector<std::string> out;
  for (size_t open = 0; (open = cell.find('`', open)) != std::string_view::npos;) {
    auto close = std::min(cell.find('`', open + 1), cell.size());
    out.emplace_back(cell.substr(open + 1, close - open - 1));
    open = close + 1;
  }
  return out;
}

// Empty when the cell is as it should be.
std::string wrong_with(std::string_view cell, const tree& files,
                       const std::set<std::string>& tests) {
  auto names = named_in(cell);
  for (auto& name : names) {
    auto patch = "tests/sim/" + name + ".patch";
    auto is_patch
      = std::any_of(files.begin(), files.end(), [&](auto& file) { return file.path == patch; });
    if (!tests.contains(name) && !is_patch)
      return "no test and no planted patch is named " + name;
  }
  if (names.empty() && (!cell.starts_with(unnamed) || cell.size() < unnamed.size() + reason_least))
    return "a cell names a test in backticks, or says why there is none: `none: ...`";
  return {};
}

} // namespace

findings fault_table(const tree& files) {
  findings found;
  auto model
    = std::find_if(files.begin(), files.end(), [](auto& file) { return file.path == document; });
  if (model == files.end())
    return found;
  auto tests = tests_of(files);
  size_t number = 0;
  size_t rows = 0;
  auto inside = false;
  for (auto line : lines_of(model->text)) {
    ++number;
    if (line.starts_with("## "))
      inside = line == heading;
    if (!inside || !line.starts_with("| ") || line.starts_with("| fault ")
        || line.starts_with("| ---"))
      continue;
    ++rows;
    auto add = [&](std::string text) {
      found.push_back({"fault_table", std::string{document}, number, std::move(text)});
    };
    auto cells = cells_of(line);
    if (cells.size() != 4 || cells[3].find_first_of("0123456789") == std::string_view::npos) {
      add("a row has a fault, a simulation, an end-to-end test and the numbers of what holds");
      continue;
    }
    for (auto cell : {cells[1], cells[2]})
      if (auto wrong = wrong_with(cell, files, tests); !wrong.empty())
        add(std::move(wrong));
  }
  if (rows == 0)
    found.push_back({"fault_table", std::string{document}, 0,
                     "the table below \"" + std::string{heading} + "\" is missing"});
  return found;
}

} // namespace troupe::tidy
