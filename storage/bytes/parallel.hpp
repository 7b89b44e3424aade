// A loop over numbers on several threads.
// Threads: the caller's and `threads` - 1 more, gone when it returns.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <functional>

namespace troupe::storage {

// Calls `work(begin, end)` for spans of at most `span` numbers that make up 0 .. count. The first
// error ends it: spans that have begun are ended, and it is returned.
result<void> in_parallel(size_t count, size_t span, unsigned threads,
                         const std::function<result<void>(size_t begin, size_t end)>& work);

} // namespace troupe::storage
