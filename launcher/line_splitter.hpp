// Whole lines, from a text that comes in pieces. Limits: what is longer than 1 MiB counts as
// several lines. Threads: one splitter, one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace troupe::launcher {

class line_splitter {
public:
  using sink = std::function<void(std::string)>;

  // Gives each line that is whole now, without its end.
  void feed(std::string_view text, const sink& take);

  // The last line, if it has no end.
  void finish(const sink& take);

private:
  std::string partial_;
};

} // namespace troupe::launcher
