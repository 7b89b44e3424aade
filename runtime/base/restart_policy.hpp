// When a supervisor starts its child again: each child for itself, after growing pauses, and not
// for ever.
//
//   restart_policy policy;
//   while (run child, which died)
//     if (auto pause = policy.died(started, now)) wait *pause; else give up;
//
// A child that lived for `healthy` has made good what was before it. Source: the restart intensity
// of Erlang/OTP's supervisors. Threads: one uses it.
#pragma once

#include "runtime/base/clock.hpp"

#include <optional>

namespace troupe {

struct restart_limits {
  duration pause_first = std::chrono::milliseconds(50); // then doubled
  duration pause_max = std::chrono::seconds(10);
  duration healthy = std::chrono::seconds(30);
  int deaths_max = 20; // in a row, none after `healthy`
};

class restart_policy {
public:
  explicit restart_policy(restart_limits limits = {}) : limits_(limits) {}

  // The child died. How long to wait before its next start; nothing: it is to stay down.
  std::optional<duration> died(time_point started, time_point now);

  int deaths() const noexcept { return deaths_; } // in a row

private:
  restart_limits limits_;
  int deaths_ = 0;
};

} // namespace troupe
