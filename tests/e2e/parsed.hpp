// What a command printed with --json, as a tree.
#pragma once

#include "tests/e2e/cluster.hpp"

#include <nlohmann/json.hpp>

namespace troupe::e2e {

using json = nlohmann::json;

inline json parsed(const outcome& x) {
  auto tree = json::parse(x.out, nullptr, false);
  EXPECT_FALSE(tree.is_discarded()) << x.out << x.err;
  return tree;
}

} // namespace troupe::e2e
