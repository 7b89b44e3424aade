// Becomes another binary of Troupe, with the same words. Threads: none may run beside it.
#pragma once

#include "launcher/commands.hpp"

namespace troupe::launcher {

// `program`: its name, beside this binary. Returns only where it cannot be run: the exit code.
int become(const shared_options& shared, const char* program);

} // namespace troupe::launcher
