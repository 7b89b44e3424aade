// Structured logs: a message, and fields after it.
//
//   log::info("task started", {{"job", id}, {"task", "worker:0"}, {"trace", trace}});
//
// writes  2026-01-31T12:00:00.000Z info task started job=3 task=worker:0 trace=77
// Threads: every function is safe to call from any thread.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace troupe::log {

enum class level { debug, info, warning, error, off };

struct field {
  std::string_view key;
  std::string value;

  field(std::string_view k, std::string_view v) : key(k), value(v) {}
  field(std::string_view k, const std::string& v) : key(k), value(v) {}
  field(std::string_view k, const char* v) : key(k), value(v) {}

  template <class T>
  requires std::integral<T> || std::floating_point<T> field(std::string_view k, T v)
    : key(k), value(std::to_string(v)) {}
};

// Where lines go: a file that is appended to, or standard error when empty (the default).
void open(const std::string& path, level least);

void set_level(level least);

using fields = std::initializer_list<field>;

void debug(std::string_view message, fields = {});
void info(std::string_view message, fields = {});
void warning(std::string_view message, fields = {});
void error(std::string_view message, fields = {});

} // namespace troupe::log
