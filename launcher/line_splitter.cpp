#include "launcher/line_splitter.hpp"

#include <utility>

namespace troupe::launcher {

void line_splitter::feed(std::string_view text, const sink& take) {
  constexpr size_t line_max = 1 << 20;
  while (!text.empty()) {
    auto end = text.find('\n');
    partial_ += text.substr(0, end);
    if (end == std::string_view::npos && partial_.size() < line_max)
      return;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    take(std::exchange(partial_, {}));
  }
}

void line_splitter::finish(const sink& take) {
  if (!partial_.empty())
    take(std::exchange(partial_, {}));
}

} // namespace troupe::launcher
