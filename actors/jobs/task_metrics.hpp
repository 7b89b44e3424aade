// What a task measures while it runs: what its job reports, and what the kernel says of it.
//
// The job writes lines `metric NAME VALUE STEP` to its metrics pipe, `awaits GENERATION` while it
// can do nothing before its gang has a later generation, and `input PATH` or `output PATH` of a
// file that belongs to the lineage. The newest value of each of at most 256 names of at most 64
// bytes is kept; any other line is ignored, and so is a name below `system/`, which is ours:
//   system/cpu_seconds   used by the command and its descendants, those that ended included
//   system/cpu_share     the same as cores in use, since the measurement before
//   system/memory_bytes  resident in them; what two of them share counts twice
//   system/accelerator_share         of its accelerators in use, 1.5 of two
//   system/accelerator_memory_bytes  in use on them
// All of it is also appended to a file (storage/formats.md), bounded: it grows coarser, not longer.
// A disk that is full costs the series, not the task.
// Threads: newest() and awaited() from any thread; the rest from one.
#pragma once

#include "actors/jobs/accelerators.hpp"
#include "actors/jobs/file_uses.hpp"
#include "runtime/base/clock.hpp"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

struct metric_value {
  double value = 0;
  uint64_t step = 0;
};

class task_metrics {
public:
  // `time` outlives it.
  explicit task_metrics(const clock& time);

  // Where the series goes; nowhere before, or if `path` is empty. At most `bytes_max` long.
  void open(const std::string& path, size_t bytes_max = 1 << 20);

  // Bytes of the pipe, in their order.
  void read(std::string_view bytes);

  // Measures the command and its descendants, and writes what was held back too long.
  void measure(pid_t command);

  // What its accelerators were found to do, after measure().
  void add_usage(const accelerator_usage& used);

  // Writes all that was held back.
  void finish();

  // The newest value of each metric.
  std::map<std::string, metric_value> newest() const;

  // The newest generation that the job said it has to see the end of; none so far.
  std::optional<uint32_t> awaited() const;

  // The files that it told of, once; at most limits::task_files_max.
  task_paths take_paths() { return std::exchange(told_, {}); }

private:
  struct held_sample {
    metric_value newest;
    int64_t time_ns = 0;
    int64_t written_ns = 0; // the last one that went to the file
    bool held = false;
  };

  void take(std::string_view line);
  void take_metric(std::string_view line);
  void take_path(std::vector<std::string>& to, std::string_view path);
  void add(const std::string& name, metric_value x);
  void write(const std::string& name, held_sample& x);
  void halve();

  const clock& time_;
  std::string partial_line_;
  task_paths told_;
  std::string path_;
  size_t bytes_max_ = 0;
  size_t bytes_ = 0;
  bool torn_ = false;             // the last line is not whole
  int64_t every_ns_ = 1000000000; // between two samples of one name in the file
  std::map<std::string, held_sample> samples_;
  double cpu_seconds_ = 0;
  time_point measured_at_{};
  uint64_t measured_ = 0;
  mutable std::mutex mutex_; // guards what follows
  std::map<std::string, metric_value> newest_;
  std::optional<uint32_t> awaited_;
};

} // namespace troupe
