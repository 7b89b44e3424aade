// Time as a parameter. Decisions get it with each event; only shells hold a clock.
#pragma once

#include <chrono>

namespace troupe {

using duration = std::chrono::nanoseconds;

// Nanoseconds on a clock of one process that never jumps. Two processes never compare theirs.
using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;

class clock {
public:
  virtual ~clock() = default;

  virtual time_point now() const = 0;

  // Nanoseconds since 1970, for people to read; it may jump.
  virtual int64_t wall_ns() const = 0;
};

class system_clock final : public clock {
public:
  time_point now() const override;
  int64_t wall_ns() const override;
};

} // namespace troupe
