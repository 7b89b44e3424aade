// Trace ids: one number follows a request through every process that works on it, and stands in
// their logs.
#pragma once

#include <cstdint>

namespace troupe::trace {

// The id of what this thread works on; 0 when it works on nothing that came from elsewhere.
uint64_t current();

// The same, or a fresh id.
uint64_t current_or_new();

// What this thread does during the life of a scope belongs to `id`.
class scope {
public:
  explicit scope(uint64_t id);
  ~scope();

  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

private:
  uint64_t before_;
};

} // namespace troupe::trace
