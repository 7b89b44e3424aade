#include "actors/training/input/csv.hpp"

#include "actors/training/input/csv_lines.hpp"

#include <algorithm>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

namespace troupe::training {

namespace {

constexpr size_t categories_max = size_t{1} << 24; // a float holds their ids exactly

class table_dataset : public dataset {
public:
  // `rows` are one behind the other, the label last where there is one.
  table_dataset(std::vector<float> rows, size_t inputs, bool label)
    : rows_(std::move(rows)), inputs_(inputs), width_(inputs + (label ? 1 : 0)) {
    fields_.push_back({"inputs", element_type::f32, {inputs}});
    if (label)
      fields_.push_back({"label", element_type::f32, {}});
  }

  size_t size() const override { return rows_.size() / width_; }
  std::span<const field> fields() const override { return fields_; }

  result<void> read(uint32_t index, std::span<const std::span<float>> into,
                    std::vector<std::byte>&) const override {
    TROUPE_ASSERT(index < size() && into.size() == fields_.size());
    auto row = std::span(rows_).subspan(index * width_, width_);
    if (!into[0].empty())
      std::copy_n(row.begin(), inputs_, into[0].begin());
    if (into.size() > 1 && !into[1].empty())
      into[1].front() = row.back();
    return {};
  }

private:
  std::vector<float> rows_;
  size_t inputs_;
  size_t width_;
  std::vector<field> fields_;
};

std::optional<float> number_of(std::string_view text) {
  auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  text = text.substr(first, text.find_last_not_of(" \t") + 1 - first);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-')
    text.remove_prefix(1);
  double value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size())
    return {};
  if (std::isfinite(value) && std::abs(value) > double{FLT_MAX})
    return {};
  return static_cast<float>(value);
}

// A column that is wanted.
class column {
public:
  column(size_t place, std::string name) : place_(place), name_(std::move(name)) {}

  void hold_categories(const categories& known) {
    categories_ = true;
    open_ = known.empty();
    for (const auto& each : known)
      add(each);
  }

  bool holds_categories() const { return categories_; }
  const std::string& name() const { return name_; }
  const categories& values() const { return values_; }

  result<float> value_of(std::span<const std::string_view> record, const csv_lines& where) {
    auto text = record[place_];
    auto wrong = [&](const std::string& why, errc code = errc::corrupt) {
      auto what = std::string("(").append(printable(name_)).append(") holds \"");
      return where.at(place_ + 1, what.append(printable(text)).append("\", ").append(why), code);
    };
    if (!categories_) {
      if (auto number = number_of(text))
        return *number;
      return wrong("which is no number of a float's range: mend it, or make the column one of "
                   "categories.");
    }
    if (auto known = ids_.find(text); known != ids_.end())
      return static_cast<float>(known->second);
    if (!open_)
      return wrong("which is none of the categories: mend it, or add it to them.");
    if (values_.size() == categories_max)
      return wrong("one category more than the 16,777,216 that there may be: use fewer.",
                   errc::invalid);
    return static_cast<float>(add(std::string(text)));
  }

  // Sorts the categories; the new id of each old one. Nothing where they were given.
  std::vector<size_t> sort() {
    if (!open_)
      return {};
    std::vector<size_t> order(values_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return values_[a] < values_[b]; });
    std::vector<size_t> renamed(order.size());
    for (size_t i = 0; i < order.size(); ++i)
      renamed[order[i]] = i;
    std::sort(values_.begin(), values_.end());
    return renamed;
  }

private:
  size_t add(std::string value) {
    auto [at, added] = ids_.emplace(std::move(value), values_.size());
    if (added)
      values_.push_back(at->first);
    return at->second;
  }

  size_t place_;
  std::string name_;
  bool categories_ = false;
  bool open_ = false; // what is new is added
  std::map<std::string, size_t, std::less<>> ids_;
  categories values_;
};

result<size_t> find_column(const std::string& path, const std::vector<std::string>& names,
                           const std::string& wanted) {
  auto found = std::find(names.begin(), names.end(), wanted);
  if (found == names.end())
    return {errc::not_found,
            path + " has no column " + printable(wanted) + ": name one that it has."};
  if (std::find(found + 1, names.end(), wanted) != names.end())
    return {errc::invalid,
            path + " has two columns " + printable(wanted) + ": give each a name of its own."};
  return static_cast<size_t>(found - names.begin());
}

// The inputs, and the label as the last where there is one.
result<std::vector<column>> choose(const std::string& path, const std::vector<std::string>& names,
                                   const csv_options& options) {
  auto wanted = options.inputs;
  if (wanted.empty())
    std::copy_if(names.begin(), names.end(), std::back_inserter(wanted),
                 [&](const auto& each) { return each != options.label; });
  if (wanted.empty())
    return {errc::invalid, path + " has no column but the label: name inputs."};
  if (!options.label.empty())
    wanted.push_back(options.label);
  std::vector<column> columns;
  for (const auto& name : wanted) {
    auto place = find_column(path, names, name);
    if (!place)
      return place.error();
    columns.emplace_back(*place, name);
  }
  for (const auto& [name, values] : options.category_columns) {
    bool used = false;
    for (auto& each : columns)
      if (each.name() == name) {
        each.hold_categories(values);
        used = true;
      }
    if (!used)
      return {errc::invalid, "The column of categories " + printable(name)
                               + " is neither an input nor the label: name it as one."};
  }
  return columns;
}

// Reads the records, of which `record` is the first, into rows of floats.
result<std::vector<float>> read_rows(csv_lines& lines, std::span<const std::string_view> record,
                                     size_t width, std::vector<column>& columns) {
  std::vector<float> rows;
  while (!record.empty()) {
    if (record.size() != width)
      return lines.at(0, "has " + std::to_string(record.size()) + " fields and the first line has "
                           + std::to_string(width) + ": mend it.");
    if (rows.size() / columns.size() == dataset::samples_max)
      return lines.at(0, "is one more than can be read at once: split the file.", errc::invalid);
    for (auto& each : columns) {
      auto value = each.value_of(record, lines);
      if (!value)
        return value.error();
      rows.push_back(*value);
    }
    auto next = lines.next();
    if (!next)
      return next.error();
    record = *next;
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    auto renamed = columns[i].sort();
    for (size_t at = i; at < rows.size() && !renamed.empty(); at += columns.size())
      rows[at] = static_cast<float>(renamed[static_cast<size_t>(rows[at])]);
  }
  return rows;
}

} // namespace

result<csv_table> open_csv(const std::string& path, const csv_options& options) {
  if (options.separator == '"' || options.separator == '\n' || options.separator == '\r')
    return {errc::invalid, "A quote or a line end cannot separate columns: use another character."};
  auto lines = csv_lines::open(path, options.separator);
  if (!lines)
    return lines.error();
  auto record = lines->next();
  if (!record)
    return record.error();
  std::vector<std::string> names(record->begin(), record->end());
  if (options.header) {
    record = lines->next();
    if (!record)
      return record.error();
  } else {
    for (size_t i = 0; i < names.size(); ++i)
      names[i] = std::to_string(i);
  }
  if (record->empty())
    return {errc::corrupt, path + " has no line of data: fetch or write the file again."};
  auto columns = choose(path, names, options);
  if (!columns)
    return columns.error();
  auto rows = read_rows(*lines, *record, names.size(), *columns);
  if (!rows)
    return rows.error();
  csv_table read;
  for (const auto& each : *columns)
    if (each.holds_categories())
      read.category_columns[each.name()] = each.values();
  auto label = !options.label.empty();
  read.samples
    = std::make_unique<table_dataset>(*std::move(rows), columns->size() - (label ? 1 : 0), label);
  return read;
}

} // namespace troupe::training
