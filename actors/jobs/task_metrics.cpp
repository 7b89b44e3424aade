#include "actors/jobs/task_metrics.hpp"

#include "actors/jobs/process_list.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/regular_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <filesystem>
#include <set>
#include <sstream>

namespace troupe {
namespace {

constexpr size_t names_max = 256;
constexpr size_t line_max = PIPE_BUF; // a line that is longer may be torn
constexpr size_t name_max = 64;
constexpr std::string_view own_names = "system/";

// Whether all of it was written.
bool append(const std::string& path, std::string_view bytes) {
  auto file = open_regular_file(path, O_WRONLY | O_APPEND | O_CREAT);
  return file && ::write(file.get(), bytes.data(), bytes.size()) == std::ssize(bytes);
}

std::string text_of(double x) {
  std::array<char, 32> text{};
  auto end = std::to_chars(text.data(), text.data() + text.size(), x).ptr;
  return {text.data(), end};
}

} // namespace

task_metrics::task_metrics(const clock& time) : time_(time), measured_at_(time.now()) {}

void task_metrics::open(const std::string& path, size_t bytes_max) {
  path_ = path;
  bytes_max_ = bytes_max;
  measured_at_ = time_.now();
}

std::map<std::string, metric_value> task_metrics::newest() const {
  std::lock_guard hold{mutex_};
  return newest_;
}

std::optional<uint32_t> task_metrics::awaited() const {
  std::lock_guard hold{mutex_};
  return awaited_;
}

void task_metrics::read(std::string_view bytes) {
  for (auto each : bytes) {
    if (each == '\n') {
      take(partial_line_);
      partial_line_.clear();
    } else if (partial_line_.size() <= line_max) {
      partial_line_.push_back(each);
    }
  }
}

// A verb and its words, separated by single blanks.
void task_metrics::take(std::string_view line) {
  constexpr std::string_view metric = "metric ";
  constexpr std::string_view awaits = "awaits ";
  constexpr std::string_view input = "input ";
  constexpr std::string_view output = "output ";
  if (line.size() > line_max)
    return;
  if (line.starts_with(metric))
    return take_metric(line.substr(metric.size()));
  if (line.starts_with(input))
    return take_path(told_.read, line.substr(input.size()));
  if (line.starts_with(output))
    return take_path(told_.written, line.substr(output.size()));
  if (!line.starts_with(awaits))
    return;
  uint32_t generation = 0;
  auto end = line.data() + line.size();
  auto number = std::from_chars(line.data() + awaits.size(), end, generation);
  std::lock_guard hold{mutex_};
  if (number.ec == std::errc{} && number.ptr == end)
    awaited_ = std::max(awaited_.value_or(0), generation);
}

void task_metrics::take_path(std::vector<std::string>& to, std::string_view path) {
  if (told_.read.size() + told_.written.size() < limits::task_files_max)
    to.emplace_back(path);
  else
    ++told_.left_out;
}

// NAME VALUE STEP
void task_metrics::take_metric(std::string_view line) {
  auto blank = line.find(' ');
  if (blank == 0 || blank == std::string_view::npos || blank > name_max)
    return;
  std::string name{line.substr(0, blank)};
  if (name.starts_with(own_names)
      || !std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; }))
    return;
  metric_value parsed;
  const char* end = line.data() + line.size();
  auto value = std::from_chars(line.data() + blank + 1, end, parsed.value);
  if (value.ec != std::errc{} || value.ptr == end || *value.ptr != ' ')
    return;
  auto step = std::from_chars(value.ptr + 1, end, parsed.step);
  if (step.ec == std::errc{} && step.ptr == end)
    add(name, parsed);
}

void task_metrics::add(const std::string& name, metric_value x) {
  {
    std::lock_guard hold{mutex_};
    auto room = newest_.size() < names_max || name.starts_with(own_names);
    if (!room && !newest_.contains(name))
      return;
    newest_[name] = x;
  }
  if (path_.empty())
    return;
  auto& sample = samples_[name];
  sample.newest = x;
  sample.time_ns = time_.wall_ns();
  sample.held = true;
  if (sample.time_ns - sample.written_ns >= every_ns_)
    write(name, sample);
}

void task_metrics::write(const std::string& name, held_sample& x) {
  std::string line{torn_ ? "\n" : ""};
  line += std::to_string(x.time_ns);
  for (auto& field : {name, text_of(x.newest.value), std::to_string(x.newest.step)})
    line.append(1, ' ').append(field);
  line += '\n';
  if (bytes_ + line.size() > bytes_max_)
    halve();
  torn_ = !append(path_, line);
  bytes_ += line.size();
  x.written_ns = x.time_ns;
  x.held = false;
}

// Keeps every second sample of each name, and takes new ones half as often.
void task_metrics::halve() {
  every_ns_ *= 2;
  std::string kept;
  {
    std::istringstream in{text_of_file(open_regular_file(path_, O_RDONLY))};
    std::map<std::string, bool, std::less<>> odd;
    for (std::string line; std::getline(in, line);) {
      auto begin = std::min(line.find(' '), line.size());
      auto& skip = odd[line.substr(begin, line.find(' ', begin + 1) - begin)];
      if (!skip)
        kept.append(line).append(1, '\n');
      skip = !skip;
    }
  }
  auto coarse = path_ + ".tmp";
  std::error_code failed;
  std::filesystem::remove(coarse, failed);
  if (append(coarse, kept))
    std::filesystem::rename(coarse, path_, failed);
  else
    std::filesystem::remove(coarse, failed);
  bytes_ = std::filesystem::file_size(path_, failed);
  torn_ = false;
  if (bytes_ > bytes_max_)
    path_.clear(); // the disk is full, or it was never writable
}

void task_metrics::measure(pid_t command) {
  auto used = usage_of_tree(command);
  auto now = time_.now();
  auto past = std::chrono::duration<double>(now - measured_at_).count();
  // What an orphan used is no longer seen once it has ended: the sum must not shrink.
  auto cpu = std::max(cpu_seconds_, used.cpu_seconds);
  ++measured_;
  add("system/cpu_seconds", {cpu, measured_});
  if (past > 0)
    add("system/cpu_share", {(cpu - cpu_seconds_) / past, measured_});
  if (used.memory != 0)
    add("system/memory_bytes", {static_cast<double>(used.memory), measured_});
  cpu_seconds_ = cpu;
  measured_at_ = now;
  for (auto& [name, sample] : samples_)
    if (sample.held && time_.wall_ns() - sample.written_ns >= every_ns_)
      write(name, sample);
}

void task_metrics::add_usage(const accelerator_usage& used) {
  if (used.share)
    add("system/accelerator_share", {*used.share, measured_});
  add("system/accelerator_memory_bytes", {static_cast<double>(used.memory), measured_});
}

void task_metrics::finish() {
  for (auto& [name, sample] : samples_)
    if (sample.held && !path_.empty())
      write(name, sample);
}

} // namespace troupe
