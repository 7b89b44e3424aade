#include "examples/fashion_mnist/metrics.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

namespace troupe::examples {

void metrics::report(std::string_view name, double value, uint64_t step) {
  if (!descriptor_)
    return;
  std::array<char, 160> line{};
  auto size = std::snprintf(line.data(), line.size(), "metric %.*s %.6g %llu\n",
                            static_cast<int>(name.size()), name.data(), value,
                            static_cast<unsigned long long>(step));
  if (size <= 0 || static_cast<size_t>(size) >= line.size())
    return;
  // A pipe that is ready takes a line of this length whole and at once.
  pollfd ready{*descriptor_, POLLOUT, 0};
  if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
    return;
  // The reader is gone: there is nobody to tell.
  if (write(*descriptor_, line.data(), static_cast<size_t>(size)) < 0 && errno != EAGAIN)
    descriptor_.reset();
}

} // namespace troupe::examples
