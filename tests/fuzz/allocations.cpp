#include "tests/fuzz/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local size_t total = 0;

} // namespace

// The array and nothrow forms of the library call these.
void* operator new(size_t size) {
  total += size;
  auto* made = std::malloc(size != 0 ? size : 1);
  if (made == nullptr)
    std::abort();
  return made;
}

void operator delete(void* what) noexcept {
  std::free(what);
}

void operator delete(void* what, size_t) noexcept {
  std::free(what);
}

namespace troupe::testing {

size_t allocated() noexcept {
  return total;
}

} // namespace troupe::testing
