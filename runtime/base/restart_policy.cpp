#include "runtime/base/restart_policy.hpp"

#include <algorithm>

namespace troupe {

std::optional<duration> restart_policy::died(time_point started, time_point now) {
  if (now - started >= limits_.healthy)
    deaths_ = 0;
  ++deaths_;
  if (deaths_ > limits_.deaths_max)
    return std::nullopt;
  auto pause = limits_.pause_first;
  for (int i = 1; i < deaths_ && pause < limits_.pause_max; ++i)
    pause *= 2;
  return std::min(pause, limits_.pause_max);
}

} // namespace troupe
