// Which lines of a log are wanted: those that match a POSIX extended expression, as `grep -E` has
// it, or that contain a text. Threads: one filter, one thread.
#pragma once

#include "runtime/base/result.hpp"

#include <memory>
#include <string>

namespace troupe::launcher {

class line_filter {
public:
  // An empty pattern takes every line. errc::invalid: it is no expression.
  static result<line_filter> make(const std::string& pattern, bool fixed);

  bool takes_all() const { return pattern_.empty(); }
  bool takes(const std::string& line) const;

private:
  struct compiled;

  std::string pattern_;
  std::shared_ptr<const compiled> expression_; // none: the pattern is a text
};

} // namespace troupe::launcher
