#include "runtime/base/ids.hpp"

#include <xxhash.h>

namespace troupe {

node_id node_named(std::string_view name) noexcept {
  auto hash = XXH3_64bits(name.data(), name.size());
  return {hash != 0 ? hash : 1};
}

} // namespace troupe
