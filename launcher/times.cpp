#include "launcher/times.hpp"

#include "actors/jobs/quantities.hpp"

#include <ctime>

namespace troupe::launcher {

namespace {

error no_time(const std::string& text, const std::string& or_else) {
  return {errc::invalid, std::string{"'"}.append(printable(text))
                           + "' is no time: give one such as '2026-11-22 02:00'" + or_else};
}

} // namespace

result<duration> time_of(const std::string& option, const std::string& told) {
  auto time = parse_duration(told);
  if (!time)
    return {errc::invalid, option + " " + time.error().text};
  return *time;
}

result<int64_t> parse_time(const std::string& text) {
  constexpr time_t year_2200
    = 7'258'118'400; // a time and a duration behind it are still int64_t ns
  std::tm when{};
  when.tm_isdst = -1;
  auto* end = ::strptime(text.c_str(), "%Y-%m-%d %H:%M", &when);
  if (end && *end == ':')
    end = ::strptime(end, ":%S", &when);
  auto day = when.tm_mday;
  auto seconds = end && *end == '\0' ? std::mktime(&when) : -1;
  if (seconds < 0 || seconds >= year_2200 || when.tm_mday != day) // no month has a 31st of February
    return no_time(text, "");
  return int64_t{seconds} * 1'000'000'000;
}

std::string text_of_wall(uint64_t ns) {
  if (ns == 0)
    return "-";
  auto when = static_cast<time_t>(ns / 1'000'000'000);
  std::tm local{};
  char text[32];
  if (!::localtime_r(&when, &local))
    return "-";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)};
}

result<int64_t> parse_since(const std::string& text, int64_t now_ns) {
  if (auto ago = parse_duration(text))
    return std::max<int64_t>(now_ns - ago->count(), 0);
  if (auto at = parse_time(text))
    return *at;
  return no_time(text, ", or how long ago, such as '7 d'");
}

} // namespace troupe::launcher
