// The records of a CSV file, one after the other; see csv.hpp for the format and its limits.
#pragma once

#include "actors/training/input/inflate.hpp"

#include <string_view>

namespace troupe::training {

class csv_lines {
public:
  // Errors: those of inflating_file.
  static result<csv_lines> open(const std::string& path, char separator);

  // The fields of the next record that is not blank, without their quotes; none at the end. They
  // are valid until the next call. Errors: corrupt: quotes; invalid: a limit; those of the file.
  result<std::span<const std::string_view>> next();

  // "PATH, line L, column C WHY": the line on which the record of the last next() begins, and a
  // column from 1, or 0 to leave it out.
  error at(size_t column, const std::string& why, errc code = errc::corrupt) const;

private:
  // How far the text at hand goes: to the end of a record or not, or why it is none.
  enum class extent { whole, cut, quote_in_field, text_after_quote, open_quote, too_many_columns };

  csv_lines(std::string path, inflating_file file, char separator)
    : path_(std::move(path)), file_(std::move(file)), separator_(separator) {}

  result<void> fill();
  extent parse();
  extent parse_plain(std::string_view text);
  extent parse_quoted(std::string_view text);
  error explain(extent bad);
  void undouble(std::string_view& field);

  std::string path_;
  inflating_file file_;
  char separator_;
  std::string window_;          // of the file
  size_t begin_ = 0;            // of what has not been handed out, in the window
  bool ended_ = false;          // the file has no more than is in the window
  uint64_t line_ = 1;           // on which the record begins
  uint64_t lines_ = 0;          // of the record
  size_t at_ = 0;               // how far the record was read
  bool quoted_ = false;         // a field of it was
  std::vector<size_t> doubled_; // its fields with doubled quotes
  std::vector<std::string_view> fields_;
};

} // namespace troupe::training
