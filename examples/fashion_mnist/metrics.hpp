// Metrics of a task: lines "metric NAME VALUE STEP" to a pipe that the task's executor reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe::examples {

class metrics {
public:
  // Without a descriptor nothing is written.
  explicit metrics(std::optional<int> descriptor) : descriptor_(descriptor) {}

  // Never waits: a reader that is behind misses a line, training does not stop for it.
  void report(std::string_view name, double value, uint64_t step);

private:
  std::optional<int> descriptor_;
};

} // namespace troupe::examples
