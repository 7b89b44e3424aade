#include "actors/jobs/metric_series.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace troupe {
namespace {

// The part before the next blank, which is taken off.
std::string_view next_field(std::string_view& left) {
  auto end = std::min(left.find(' '), left.size());
  auto field = left.substr(0, end);
  left.remove_prefix(std::min(end + 1, left.size()));
  return field;
}

template <class T>
bool read(std::string_view text, T& out) {
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc{} && end == text.data() + text.size();
}

// TIME NAME VALUE STEP
void take_line(std::string_view line, metric_series& out) {
  metric_sample sample;
  auto timed = read(next_field(line), sample.time_ns);
  std::string name{next_field(line)};
  auto valued = read(next_field(line), sample.value);
  if (timed && valued && !name.empty() && read(line, sample.step))
    out[name].push_back(sample);
}

} // namespace

metric_series parse_metric_series(std::string_view text) {
  metric_series out;
  for (size_t begin = 0; begin < text.size();) {
    auto end = text.find('\n', begin);
    if (end == std::string_view::npos)
      break; // it is still being written
    take_line(text.substr(begin, end - begin), out);
    begin = end + 1;
  }
  for (auto& [name, samples] : out) {
    std::stable_sort(samples.begin(), samples.end(),
                     [](auto& a, auto& b) { return a.time_ns < b.time_ns; });
    auto twice = std::unique(samples.begin(), samples.end(),
                             [](auto& a, auto& b) { return a.time_ns == b.time_ns; });
    samples.erase(twice, samples.end());
  }
  return out;
}

metric_summary summary_of(const std::vector<metric_sample>& samples) {
  metric_summary out;
  size_t count = 0;
  if (!samples.empty())
    out.newest = samples.back().value;
  for (auto& each : samples) {
    if (!std::isfinite(each.value))
      continue;
    out.min = count == 0 ? each.value : std::min(out.min, each.value);
    out.max = count == 0 ? each.value : std::max(out.max, each.value);
    out.mean = count == 0 ? each.value : out.mean;
    out.mean += (each.value - out.mean) / static_cast<double>(++count);
  }
  return out;
}

std::string sparkline_of(const std::vector<metric_sample>& samples, size_t width) {
  static constexpr std::array blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  auto all = summary_of(samples);
  std::string out;
  width = std::min(width, samples.size());
  for (size_t i = 0; i < width; ++i) {
    std::vector<metric_sample> part(
      samples.begin() + static_cast<std::ptrdiff_t>(i * samples.size() / width),
      samples.begin() + static_cast<std::ptrdiff_t>((i + 1) * samples.size() / width));
    auto mean = summary_of(part).mean;
    auto height = all.max > all.min ? (mean - all.min) / (all.max - all.min) : 0.0;
    auto block
      = static_cast<size_t>(std::isfinite(mean) ? std::max(height, 0.0) * blocks.size() : 0);
    out += std::isfinite(mean) ? blocks[std::min(block, blocks.size() - 1)] : " ";
  }
  return out;
}

} // namespace troupe
