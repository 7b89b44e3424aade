// Operating errors. The codes cross the wire: values are explicit and the list only grows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

enum class errc : uint8_t {
  ok = 0,
  invalid = 1,        // the input is wrong; nothing was changed
  not_found = 2,      // no such job, task, artifact, file ...
  already_exists = 3, // the name or the directory is taken
  refused = 4,        // not authorised, or fenced off by a newer epoch or attempt
  queue_full = 5,     // a bound between two processes was reached
  deadline = 6,       // no answer in time; the request may or may not have run
  node_lost = 7,      // the connection to the node ended
  no_such_actor = 8,  // the node has no actor of that name, or it does not take this message
  corrupt = 9,        // bytes failed their check
  io = 10,            // a system call failed
  unavailable = 11,   // not now: draining, no cluster, not enough room
  aborted = 12,       // stopped on request, or because another member failed
  internal = 13,      // a foreign library failed in a way that we do not know
};

inline constexpr errc errc_last = errc::internal;

// The name as it is printed and logged.
std::string_view name_of(errc code) noexcept;

// Whether the caller may send the same request again without harm.
bool may_repeat(errc code) noexcept;

// What went wrong, as one sentence: what, why, and how to mend it.
struct error {
  errc code = errc::ok;
  std::string text;
};

// What somebody else sent, for an error text: 40 bytes of it, with '?' for each that does not
// print.
std::string printable(std::string_view foreign);

} // namespace troupe
