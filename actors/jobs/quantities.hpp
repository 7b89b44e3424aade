// Amounts as people write them.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <string_view>

namespace troupe {

// Bytes of `512`, `64 MiB`, `1.5 GiB`, `2 GB`: IEC units count in 1024, SI units in 1000.
result<uint64_t> parse_size(std::string_view text);

// The longest time that may be given.
inline constexpr auto longest_time = std::chrono::hours{3650 * 24};

// `90`, `1.5 h`, `30 min`, `500 ms`, `2 d`: without a unit, seconds. At most longest_time.
result<duration> parse_duration(std::string_view text);

} // namespace troupe
