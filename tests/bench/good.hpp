// What a benchmark does with a result: it goes on, or ends with the error.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace troupe::bench {

[[noreturn]] inline void give_up(const error& why) {
  std::fprintf(stderr, "benchmark: %s\n", why.text.c_str());
  std::exit(1);
}

template <class T>
T good(result<T> x) {
  if (!x)
    give_up(x.error());
  return std::move(*x);
}

inline void good(const result<void>& x) {
  if (!x)
    give_up(x.error());
}

} // namespace troupe::bench
