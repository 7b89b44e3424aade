// The metrics of a task over time, as its executor wrote them (task_metrics.hpp,
// storage/formats.md). Threads: plain functions and values.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct metric_sample {
  int64_t time_ns = 0; // since 1970
  double value = 0;
  uint64_t step = 0;
};

using metric_series = std::map<std::string, std::vector<metric_sample>>;

// By name, in the order of time. What is no line of the format is left out: a torn end, or what two
// reads of a file that was thinned in between have twice.
metric_series parse_metric_series(std::string_view text);

// The newest value, finite or not; the others are those of the finite values, NaN where there are
// none.
struct metric_summary {
  double newest = std::numeric_limits<double>::quiet_NaN();
  double min = std::numeric_limits<double>::quiet_NaN();
  double mean = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
};

metric_summary summary_of(const std::vector<metric_sample>& samples);

// The values as so many blocks of eight heights, each the mean of its part of the samples: a blank
// where none of these is finite.
std::string sparkline_of(const std::vector<metric_sample>& samples, size_t width);

} // namespace troupe
