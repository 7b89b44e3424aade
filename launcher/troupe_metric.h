// Reports what the task that this process is measures, reads and writes, for C and C++: one file to
// copy or to include.
//
//   troupe_metric("loss", 0.25, step);
//   troupe_file("input", "/data/train.csv");
//   troupe_file("output", "/models/model.bin");
//
// `troupe metrics JOB` shows it over time, and `progress` (0 to 1), or `epoch` and `epochs`, draw
// the bar of `troupe job JOB --follow`. The name has at most 64 printable characters, no blank, and
// does not begin with `system/`. It never waits: a reader that is behind misses a line. Outside of
// a task it does nothing.
// The files that it names are in the lineage of the task with the hash that they have when it ends;
// a path that is not absolute is one below the directory where the task's command was started. This
// call waits for a reader that is behind.
// Threads: any; a line is written whole. Other languages write the line `metric NAME VALUE STEP`,
// `input PATH` or `output PATH` to the file descriptor in the variable TROUPE_METRICS_FD.
#pragma once

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// A pipe that is ready takes a line of this length whole and at once.
static inline void troupe_say(const char* line, int size, int size_max, int milliseconds) {
  const char* number = getenv("TROUPE_METRICS_FD");
  if (!number || size <= 0 || size >= size_max)
    return;
  struct pollfd ready = {atoi(number), POLLOUT, 0};
  if (poll(&ready, 1, milliseconds) == 1 && (ready.revents & POLLOUT) != 0
      && (ready.revents & POLLERR) == 0)
    if (write(ready.fd, line, (size_t)size) < 0)
      return; // the reader is gone: there is nobody to tell
}

static inline void troupe_metric(const char* name, double value, unsigned long long step) {
  char line[160];
  int size = snprintf(line, sizeof line, "metric %s %.9g %llu\n", name, value, step);
  troupe_say(line, size, sizeof line, 0);
}

// `use`: "input" or "output".
static inline void troupe_file(const char* use, const char* path) {
  char line[4096];
  int size = snprintf(line, sizeof line, "%s %s\n", use, path);
  troupe_say(line, size, sizeof line, -1);
}
