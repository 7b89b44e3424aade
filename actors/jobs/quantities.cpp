#include "actors/jobs/quantities.hpp"

#include <charconv>
#include <cmath>
#include <map>
#include <string>

namespace troupe {
namespace {

using unit_table = std::map<std::string_view, double>;

// A number and its unit, in the table's measure. `kind`: what it is; `example`: how to write it.
result<double> parse(std::string_view text, const unit_table& units, double below,
                     const std::string& kind, const std::string& example) {
  auto bad = [&](const std::string& why) {
    return error{errc::invalid, "is \"" + std::string{text.substr(0, 40)} + "\", " + why
                                  + ": give a " + kind + " such as " + example};
  };
  double value = 0;
  auto* end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (code != std::errc{})
    return bad("not a " + kind);
  auto unit = std::string_view{stop, static_cast<size_t>(end - stop)};
  while (unit.starts_with(' '))
    unit.remove_prefix(1);
  auto found = units.find(unit);
  if (found == units.end())
    return bad("whose unit is unknown");
  if (value < 0)
    return bad("which is negative");
  value = std::floor(value * found->second);
  if (!(value < below))
    return bad("which is too large");
  return value;
}

} // namespace

result<uint64_t> parse_size(std::string_view text) {
  static const unit_table units{{"", 1},         {"B", 1},        {"KiB", 0x1p10}, {"MiB", 0x1p20},
                                {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"kB", 1e3},     {"KB", 1e3},
                                {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
  auto out = parse(text, units, 0x1p63, "size", "512 MiB or 1.5 GiB");
  if (!out)
    return out.error();
  return static_cast<uint64_t>(*out);
}

result<duration> parse_duration(std::string_view text) {
  static const unit_table units{{"", 1e9},     {"ms", 1e6},   {"s", 1e9},
                                {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
  auto out = parse(text, units, static_cast<double>(duration{longest_time}.count()), "time",
                   "90 s or 1.5 h");
  if (!out)
    return out.error();
  return duration{static_cast<int64_t>(*out)};
}

} // namespace troupe
