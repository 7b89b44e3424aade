// Our errors as CAF's, in both directions: an actor answers `fail(errc::invalid, "why")`.
#pragma once

#include "runtime/base/error.hpp"

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>

namespace troupe {

caf::error fail(errc code, std::string text);
caf::error fail(const error& reason);

// The reason of any CAF error: ours as it was, CAF's own as the nearest of ours.
error reason_of(const caf::error& x);

} // namespace troupe
