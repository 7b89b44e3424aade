#include "launcher/line_filter.hpp"

#include <regex.h>

namespace troupe::launcher {

struct line_filter::compiled {
  explicit compiled(const std::string& pattern)
    : code(::regcomp(&expression, pattern.c_str(), REG_EXTENDED | REG_NOSUB)) {}
  ~compiled() {
    if (code == 0)
      ::regfree(&expression);
  }

  compiled(const compiled&) = delete;
  compiled& operator=(const compiled&) = delete;

  regex_t expression{};
  int code;
};

result<line_filter> line_filter::make(const std::string& pattern, bool fixed) {
  line_filter out;
  out.pattern_ = pattern;
  if (fixed || pattern.empty())
    return out;
  auto made = std::make_shared<compiled>(pattern);
  if (made->code != 0) {
    char why[128];
    ::regerror(made->code, &made->expression, why, sizeof why);
    return {errc::invalid, "'" + pattern + "' is no expression (" + why
                             + "); for a text as it stands add --fixed"};
  }
  out.expression_ = std::move(made);
  return out;
}

bool line_filter::takes(const std::string& line) const {
  if (expression_)
    return ::regexec(&expression_->expression, line.c_str(), 0, nullptr, 0) == 0;
  return line.find(pattern_) != std::string::npos;
}

} // namespace troupe::launcher
