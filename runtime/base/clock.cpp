#include "runtime/base/clock.hpp"

namespace troupe {

time_point system_clock::now() const {
  return std::chrono::steady_clock::now();
}

int64_t system_clock::wall_ns() const {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

} // namespace troupe
