#include "launcher/live_status.hpp"

#include "launcher/console.hpp"

#include <algorithm>
#include <cstdio>

namespace troupe::launcher {
namespace {

using namespace std::chrono_literals;

constexpr auto print_every = 10s; // without a terminal
constexpr int bar_width = 24;

std::string number_text(const char* format, double x) {
  char text[64];
  std::snprintf(text, sizeof text, format, x);
  return text;
}

std::string bar_of(double done) {
  auto full = static_cast<size_t>(std::clamp(done, 0.0, 1.0) * bar_width + 0.5);
  std::string bar{" ["};
  return bar.append(full, '#').append(bar_width - full, '.').append(1, ']');
}

std::string head_of(const job_status_msg& x) {
  auto line = "job " + std::to_string(x.job) + " " + name_of(x.state);
  if (x.state == job_state::queued && !x.reason.empty())
    line.append(": ").append(x.reason);
  if (x.attempt > 1)
    line.append(" (attempt ").append(std::to_string(x.attempt)).append(1, ')');
  auto metrics = gang_metrics(x);
  for (auto& [key, format] :
       std::map<std::string, const char*>{{"epoch", " epoch %.0f"},
                                          {"loss", " loss %.3f"},
                                          {"accuracy", " accuracy %.3f"},
                                          {"samples_per_s", " %.0f samples/s"}})
    if (auto found = metrics.find(key); found != metrics.end())
      line += number_text(format, found->second);
  return line;
}

std::string line_of(const role_progress& role, std::optional<duration> left) {
  auto line = role.type;
  if (role.done)
    line += bar_of(*role.done) + number_text(" %.0f %%", *role.done * 100);
  for (auto& [state, count] : role.tasks)
    line.append(1, ' ').append(std::to_string(count)).append(1, ' ').append(name_of(state));
  if (left && *left > duration{})
    line.append(", about ").append(text_of_time(*left)).append(" left");
  return line;
}

} // namespace

live_status::live_status(size_t columns, std::function<void(const std::string&)> write)
  : columns_(columns), write_(std::move(write)) {}

// What takes the lines that are shown off the terminal; the cursor is at the end of the last.
std::string live_status::erased() const {
  if (columns_ == 0 || shown_.empty())
    return {};
  std::string out = "\r\x1b[K";
  for (size_t i = 1; i < shown_.size(); ++i)
    out += "\x1b[A\x1b[K";
  return out;
}

void live_status::show(const job_status_msg& x, time_point now) {
  std::vector<std::string> lines{head_of(x)};
  for (auto& role : roles_of(x))
    lines.push_back(line_of(role, estimate_.left(role, x.attempt, now)));
  show(std::move(lines), name_of(x.state) + std::to_string(x.attempt), now);
}

void live_status::show(std::vector<std::string> lines, const std::string& stage, time_point now) {
  constexpr size_t indent = 2;
  for (auto& line : lines)
    if (columns_ > indent + 1 && line.size() > columns_ - indent - 1)
      line.resize(columns_ - indent - 1); // a line that wraps could not be taken back
  if (lines == shown_)
    return;
  if (columns_ == 0 && stage == stage_ && now - printed_at_ < print_every)
    return;
  auto text = erased();
  for (size_t i = 0; i < lines.size(); ++i)
    text += (i == 0 ? "" : columns_ != 0 ? "\n  " : "; ") + lines[i];
  write_(columns_ != 0 ? text : text + "\n");
  shown_ = std::move(lines);
  stage_ = stage;
  printed_at_ = now;
}

void live_status::say(const std::string& line) {
  auto text = erased().append(line).append(1, '\n');
  if (columns_ != 0)
    for (size_t i = 0; i < shown_.size(); ++i)
      text += (i == 0 ? "" : "\n  ") + shown_[i];
  write_(text);
}

void live_status::finish() {
  if (columns_ != 0 && !shown_.empty())
    write_("\n");
  shown_.clear();
}

} // namespace troupe::launcher
