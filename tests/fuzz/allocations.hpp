// How much memory this thread asks for: a counter below operator new.
#pragma once

#include <cstddef>

namespace troupe::testing {

// Bytes that this thread has asked operator new for, ever; what was freed is not taken off.
size_t allocated() noexcept;

} // namespace troupe::testing
