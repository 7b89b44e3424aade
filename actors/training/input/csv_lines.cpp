#include "actors/training/input/csv_lines.hpp"

#include <algorithm>

namespace troupe::training {

namespace {

constexpr size_t piece = size_t{256} << 10;
constexpr size_t line_max = size_t{16} << 20;
constexpr size_t columns_max = 65536;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

} // namespace

result<csv_lines> csv_lines::open(const std::string& path, char separator) {
  auto file = inflating_file::open(path);
  if (!file)
    return file.error();
  csv_lines made(path, *std::move(file), separator);
  TROUPE_TRY(made.fill());
  if (made.window_.starts_with(byte_order_mark))
    made.begin_ = byte_order_mark.size();
  return made;
}

error csv_lines::at(size_t column, const std::string& why, errc code) const {
  auto place = path_ + ", line " + std::to_string(line_);
  return {code, place + (column == 0 ? " " : ", column " + std::to_string(column) + " ") + why};
}

// What is left moves to the front, and at least as much is read again: a long record is not parsed
// more than a few times.
result<void> csv_lines::fill() {
  window_.erase(0, begin_);
  begin_ = 0;
  auto before = window_.size();
  if (before >= line_max)
    return at(0, "is longer than 16 MiB: close a quote, or store less in it.", errc::invalid);
  auto wanted = std::max(piece, before);
  window_.resize(before + wanted);
  auto got = file_.read(std::as_writable_bytes(std::span(window_).subspan(before)));
  if (!got)
    return got.error();
  window_.resize(before + *got);
  ended_ = *got < wanted;
  return {};
}

csv_lines::extent csv_lines::parse_plain(std::string_view text) {
  auto end = at_;
  while (end < text.size() && text[end] != separator_ && text[end] != '\n' && text[end] != '"')
    ++end;
  if (end == text.size() && !ended_)
    return extent::cut;
  if (end < text.size() && text[end] == '"')
    return extent::quote_in_field;
  auto field = text.substr(at_, end - at_);
  auto ends_line = end == text.size() || text[end] == '\n';
  if (ends_line && field.ends_with('\r'))
    field.remove_suffix(1);
  fields_.push_back(field);
  at_ = end;
  return extent::whole;
}

csv_lines::extent csv_lines::parse_quoted(std::string_view text) {
  auto begin = at_ + 1;
  auto end = begin;
  bool doubled = false;
  for (;; end += 2) {
    end = text.find('"', end);
    if (end == std::string_view::npos)
      return ended_ ? extent::open_quote : extent::cut;
    if (end + 1 == text.size() && !ended_)
      return extent::cut;
    if (end + 1 == text.size() || text[end + 1] != '"')
      break;
    doubled = true;
  }
  quoted_ = true;
  if (doubled)
    doubled_.push_back(fields_.size());
  auto field = text.substr(begin, end - begin);
  at_ = end + 1;
  if (at_ < text.size() && text[at_] == '\r') {
    if (at_ + 1 == text.size() && !ended_)
      return extent::cut;
    ++at_;
    if (at_ < text.size() && text[at_] != '\n')
      return extent::text_after_quote;
  }
  if (at_ < text.size() && text[at_] != separator_ && text[at_] != '\n')
    return extent::text_after_quote;
  fields_.push_back(field);
  lines_ += static_cast<uint64_t>(std::count(field.begin(), field.end(), '\n'));
  return extent::whole;
}

csv_lines::extent csv_lines::parse() {
  auto text = std::string_view(window_).substr(begin_);
  fields_.clear();
  doubled_.clear();
  at_ = 0;
  lines_ = 0;
  quoted_ = false;
  for (;; ++at_) {
    if (fields_.size() == columns_max)
      return extent::too_many_columns;
    auto quoted = at_ < text.size() && text[at_] == '"';
    auto read = quoted ? parse_quoted(text) : parse_plain(text);
    if (read != extent::whole)
      return read;
    if (at_ == text.size())
      return ended_ ? extent::whole : extent::cut;
    if (text[at_] == '\n') {
      ++at_;
      ++lines_;
      return extent::whole;
    }
  }
}

error csv_lines::explain(extent bad) {
  line_ += lines_; // of the field
  auto column = fields_.size() + 1;
  if (bad == extent::too_many_columns)
    return at(0, "has more than 65536 columns: store them as NPY.", errc::invalid);
  if (bad == extent::quote_in_field)
    return at(column, "has a quote in a field without quotes: put the field in quotes and double "
                      "those in it.");
  if (bad == extent::text_after_quote)
    return at(column, "goes on behind its closing quote: double the quotes within a field.");
  return at(column, "has an open quote to the end of the file: close it.");
}

// In place: a record that was handed out is not parsed again.
void csv_lines::undouble(std::string_view& field) {
  auto* const first = window_.data() + (field.data() - window_.data());
  auto* to = first;
  for (const auto *from = field.data(), *end = from + field.size(); from != end; ++from) {
    *to++ = *from;
    if (*from == '"')
      ++from;
  }
  field = {first, static_cast<size_t>(to - first)};
}

result<std::span<const std::string_view>> csv_lines::next() {
  line_ += lines_;
  lines_ = 0;
  while (begin_ < window_.size() || !ended_) {
    auto read = parse();
    if (read == extent::cut) {
      lines_ = 0;
      TROUPE_TRY(fill());
      continue;
    }
    if (read != extent::whole)
      return explain(read);
    begin_ += at_;
    auto blank = fields_.size() == 1 && fields_[0].empty() && !quoted_;
    if (!blank) {
      for (auto each : doubled_)
        undouble(fields_[each]);
      return std::span<const std::string_view>(fields_);
    }
    line_ += lines_;
    lines_ = 0;
  }
  return std::span<const std::string_view>();
}

} // namespace troupe::training
