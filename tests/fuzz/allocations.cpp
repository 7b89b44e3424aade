#include "tests/fuzz/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local size_t total = 0;

} // namespace

// The forms for arrays call these, or a sanitizer has its own of both.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  total += size;
  return std::malloc(size != 0 ? size : 1);
}

void* operator new(size_t size) {
  auto* made = operator new(size, std::nothrow);
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
