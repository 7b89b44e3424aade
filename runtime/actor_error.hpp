// Our errors as CAF's, in both directions: an actor answers `fail(errc::invalid, "why")`.
#pragma once

#include "runtime/base/result.hpp"

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/result.hpp>

namespace troupe {

caf::error fail(errc code, std::string text);
caf::error fail(const error& reason);

// What an actor answers with.
template <class T>
caf::result<T> reply_of(result<T> x) {
  if (!x)
    return fail(x.error());
  return std::move(*x);
}

// The reason of any CAF error: ours as it was, CAF's own as the nearest of ours.
error reason_of(const caf::error& x);

} // namespace troupe
