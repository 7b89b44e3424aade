// Tables of numbers and categories as text: comma-separated values, compressed with gzip or not.
//
// Fields may stand in quotes, which may hold separators, line ends and doubled quotes. Lines end
// with LF or CRLF, the last one with or without. A byte order mark and blank lines are skipped. The
// numbers of the wanted columns are kept in memory, 4 bytes each; the text is not. Spaces around a
// number do not matter. Limits: 16 MiB for a line, 65,536 columns.
// Source: RFC 4180.
#pragma once

#include "actors/training/input/dataset.hpp"

#include <map>

namespace troupe::training {

// The values of a column of categories; the place of a value is its id.
using categories = std::vector<std::string>;

struct csv_options {
  char separator = ',';
  bool header = true; // the first line names the columns; without it they are "0", "1", ...
  std::vector<std::string> inputs = {}; // columns; none: all but the label
  std::string label = {};               // empty: there is none
  // Columns whose values are not numbers. Where the values are given, another one in the file is an
  // error; where there are none, they are those of the file, sorted.
  std::map<std::string, categories> category_columns = {};
};

struct csv_table {
  std::unique_ptr<dataset> samples; // fields: "inputs", and "label" where there is one
  // Of each category column, as it was used: give it when the next file is opened, for equal ids.
  std::map<std::string, categories> category_columns;
};

// Errors: not_found: no file, or no column, of a name; io; corrupt, with file, line and column: a
// line with another number of fields, a quote that is not closed or stands where none may, what is
// no number that a float holds (infinity and NaN are), an unknown category; invalid: options that
// make no sense, or a limit.
result<csv_table> open_csv(const std::string& path, const csv_options& options);

} // namespace troupe::training
