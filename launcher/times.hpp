// Times as people write them. Threads: plain functions.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>

namespace troupe::launcher {

// What an option was told, such as "--for"; errc::invalid, with the option's name: no time.
result<duration> time_of(const std::string& option, const std::string& told);

// As ns since 1970: `2026-11-22 02:00` or `2026-11-22 02:00:30`, in local time.
result<int64_t> parse_time(const std::string& text);

// The other way: `2026-11-22 02:00:30`; of 0, `-`.
std::string text_of_wall(uint64_t ns);

// The same, or how long before `now_ns`: `7 d`.
result<int64_t> parse_since(const std::string& text, int64_t now_ns);

} // namespace troupe::launcher
