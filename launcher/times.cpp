#include "launcher/times.hpp"

#include "actors/jobs/quantities.hpp"

#include <ctime>

namespace troupe::launcher {

result<int64_t> parse_time(const std::string& text) {
  std::tm when{};
  when.tm_isdst = -1;
  auto* end = ::strptime(text.c_str(), "%Y-%m-%d %H:%M", &when);
  if (!end || *end != '\0')
    return {errc::invalid, "'" + text + "' is no time: give one such as '2026-11-22 02:00'"};
  return int64_t{std::mktime(&when)} * 1'000'000'000;
}

result<int64_t> parse_since(const std::string& text, int64_t now_ns) {
  if (auto ago = parse_duration(text))
    return std::max<int64_t>(now_ns - ago->count(), 0);
  if (auto at = parse_time(text))
    return *at;
  return {errc::invalid, "'" + text
                           + "' is no time: give one such as '2026-11-22 02:00', or how "
                             "long ago, such as '7 d'"};
}

} // namespace troupe::launcher
