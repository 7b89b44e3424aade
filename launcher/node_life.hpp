// The lives of a node over restarts, numbered in a file of its directory.
//
// A life has a greater number than every earlier one, also when the clock has jumped back: else the
// master, which refuses older lives, would not let the node in. The number is on disk before it is
// used. Not for two processes of one node at once.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>

namespace troupe::launcher {

// The number of the life that begins now. errc::io: the file cannot be read or written.
result<uint64_t> begin_life(const std::string& path, int64_t wall_ns);

} // namespace troupe::launcher
