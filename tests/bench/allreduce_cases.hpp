// What each contender of the benchmark allreduce is timed at, and how: operations back to back, as
// a training makes them, between two barriers. Rank 0 prints "<case> <seconds an operation>".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

namespace troupe::bench {

struct allreduce_case {
  const char* name;
  size_t bytes;
  int operations;
};

inline constexpr allreduce_case allreduce_cases[] = {{"1KiB", 1u << 10, 20'000},
                                                     {"4KiB", 4u << 10, 10'000},
                                                     {"16MiB", 16u << 20, 16},
                                                     {"64MiB", 64u << 20, 6}};

template <class Operation, class Barrier>
void time_allreduce(const allreduce_case& what, const std::string& prefix, bool prints,
                    const Operation& operation, const Barrier& barrier) {
  auto floats = what.bytes / sizeof(float);
  auto few = what.operations > 100 ? what.operations / 10 : 2;
  for (int i = 0; i < few; ++i)
    operation(floats);
  barrier();
  auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < what.operations; ++i)
    operation(floats);
  barrier();
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  if (prints) {
    std::printf("%s%s %.9f\n", prefix.c_str(), what.name, took.count() / what.operations);
    std::fflush(stdout);
  }
}

} // namespace troupe::bench
