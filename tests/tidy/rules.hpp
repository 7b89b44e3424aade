// The rules of the tree. Each is plain code: files in, findings out; rules_test.cpp proves each on
// an input that breaks it, tidy_test.cpp applies all of them to the tree that is built.
// To add one: a function here, its row in all_rules(), a test.
#pragma once

#include "tests/tidy/tree.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::tidy {

struct finding {
  std::string rule;
  std::string path;
  size_t line; // 0: the file as a whole
  std::string text;
};

using findings = std::vector<finding>;

// Who may include whom, by folder; the third-party headers, each with the files that may see it.
findings include_arrows(const tree&);
findings third_party(const tree&);

// Length of files, functions and lines.
findings file_length(const tree&);
findings function_length(const tree&);
findings line_length(const tree&);

// A header opens with what it is for and is included once.
findings header_form(const tree&);

// Names that say nothing, calls that hide time, chance or configuration, notes to oneself, and
// paths of one machine.
findings file_names(const tree&);
findings banned_calls(const tree&);
findings loose_ends(const tree&);
findings machine_paths(const tree&);

// Every source is built, by name; README's table names every folder; a decision record is a page.
findings listed_in_cmake(const tree&);
findings readme_folders(const tree&);
findings record_length(const tree&);

// A planted bug changes code that is there.
findings planted_patches(const tree&);

// Each fault of docs/failure_model.md is tried by tests that exist, or its table says why not.
findings fault_table(const tree&);

findings all_rules(const tree&);

struct exception {
  std::string_view rule;
  std::string_view path;
  std::string_view reason;
};

// The exceptions that stand today. The table only shrinks: a row that matches nothing is a finding.
std::span<const exception> exceptions();

// What remains of the findings; a finding for each exception that nothing needs.
findings without_exceptions(const findings&, std::span<const exception>);

} // namespace troupe::tidy
