#include "runtime/base/ids.hpp"

#include <xxhash.h>

#include <cstdio>

namespace troupe {

node_id node_named(std::string_view name) noexcept {
  auto hash = XXH3_64bits(name.data(), name.size());
  return {hash != 0 ? hash : 1};
}

std::string hex(uint64_t x) {
  char buffer[17];
  std::snprintf(buffer, sizeof buffer, "%016llx", static_cast<unsigned long long>(x));
  return buffer;
}

} // namespace troupe
