// A job while it runs, for people: its state, and a bar for each role with an estimated end. On a
// terminal the lines are drawn over; elsewhere one line is printed when its state changes, and
// every ten seconds.
#pragma once

#include "launcher/progress.hpp"

#include <functional>

namespace troupe::launcher {

class live_status {
public:
  // `columns` of the terminal, 0: it is none. `write` takes what is printed, with escape sequences
  // where it is one.
  live_status(size_t columns, std::function<void(const std::string&)> write);

  void show(const job_status_msg& x, time_point now);

  // The same of anything else: without a terminal it is printed when `stage` changes, and every ten
  // seconds.
  void show(std::vector<std::string> lines, const std::string& stage, time_point now);

  // Prints a line of its own above the status.
  void say(const std::string& line);

  // The status is not drawn over any more.
  void finish();

private:
  std::string erased() const;

  const size_t columns_;
  const std::function<void(const std::string&)> write_;
  progress_estimate estimate_;
  std::vector<std::string> shown_;
  std::string stage_;
  time_point printed_at_{};
};

} // namespace troupe::launcher
