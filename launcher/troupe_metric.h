// Reports a metric of the task that this process is, for C and C++: one file to copy or to include.
//
//   troupe_metric("loss", 0.25, step);
//
// `troupe metrics JOB` shows it over time, and `progress` (0 to 1), or `epoch` and `epochs`, draw
// the bar of `troupe job JOB --follow`. The name has at most 64 printable characters, no blank, and
// does not begin with `system/`. It never waits: a reader that is behind misses a line. Outside of
// a task it does nothing.
// Threads: any; a line is written whole. Other languages write the line `metric NAME VALUE STEP` to
// the file descriptor in the variable TROUPE_METRICS_FD.
#pragma once

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void troupe_metric(const char* name, double value, unsigned long long step) {
  const char* number = getenv("TROUPE_METRICS_FD");
  char line[160];
  int size = snprintf(line, sizeof line, "metric %s %.9g %llu\n", name, value, step);
  if (!number || size <= 0 || (size_t)size >= sizeof line)
    return;
  // A pipe that is ready takes a line of this length whole and at once.
  struct pollfd ready = {atoi(number), POLLOUT, 0};
  if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0 && (ready.revents & POLLERR) == 0)
    if (write(ready.fd, line, (size_t)size) < 0)
      return; // the reader is gone: there is nobody to tell
}
