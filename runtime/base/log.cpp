#include "runtime/base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace troupe::log {

namespace {

constexpr auto pattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

spdlog::level::level_enum to_spdlog(level least) {
  switch (least) {
  case level::debug:
    return spdlog::level::debug;
  case level::info:
    return spdlog::level::info;
  case level::warning:
    return spdlog::level::warn;
  case level::error:
    return spdlog::level::err;
  case level::off:
    return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> make(spdlog::sink_ptr sink, level least) {
  auto logger = std::make_shared<spdlog::logger>("troupe", std::move(sink));
  logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
  logger->set_level(to_spdlog(least));
  logger->flush_on(spdlog::level::info);
  return logger;
}

// The one logger of the process. It is read on every line and replaced only while the process
// starts.
std::shared_ptr<spdlog::logger>& current() {
  static auto logger = make(std::make_shared<spdlog::sinks::stderr_sink_mt>(), level::warning);
  return logger;
}

void write(spdlog::level::level_enum severity, std::string_view message, fields more) {
  auto& logger = *current();
  if (!logger.should_log(severity))
    return;
  std::string line{message};
  for (auto& each : more) {
    line += ' ';
    line += each.key;
    line += '=';
    auto plain = each.value.find_first_of(" \"\n=") == std::string::npos;
    if (plain) {
      line += each.value;
      continue;
    }
    line += '"';
    for (auto c : each.value) {
      if (c == '"' || c == '\\')
        line += '\\';
      line += c == '\n' ? ' ' : c;
    }
    line += '"';
  }
  logger.log(severity, "{}", line);
}

} // namespace

void open(const std::string& path, level least) {
  if (path.empty()) {
    current() = make(std::make_shared<spdlog::sinks::stderr_sink_mt>(), least);
    return;
  }
  try {
    current() = make(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path), least);
  } catch (const spdlog::spdlog_ex& e) {
    open({}, least);
    warning("the log file cannot be opened; logging to standard error", {{"reason", e.what()}});
  }
}

void set_level(level least) {
  current()->set_level(to_spdlog(least));
}

void debug(std::string_view message, fields more) {
  write(spdlog::level::debug, message, more);
}
void info(std::string_view message, fields more) {
  write(spdlog::level::info, message, more);
}
void warning(std::string_view message, fields more) {
  write(spdlog::level::warn, message, more);
}
void error(std::string_view message, fields more) {
  write(spdlog::level::err, message, more);
}

} // namespace troupe::log
