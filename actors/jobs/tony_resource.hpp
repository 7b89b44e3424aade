// A resource as TonY's users write it: `PATH`, or `PATH::NAME`, either with `#archive` behind it,
// which unpacks it into a directory of that name.
// Threads: a plain function.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>

namespace troupe {

// `folder`: where relative paths begin. errc::invalid, with what a sentence about it ends with.
result<resource_msg> read_tony_resource(const std::string& text, const std::string& folder);

} // namespace troupe
