// Another program, run to its end.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <string>
#include <vector>

namespace troupe::launcher {

struct finished_command {
  int code = 0; // 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

// Runs `words`, the first of which is looked for in PATH, and gives it `input`. errc::not_found
// when there is no such program, errc::deadline when it ran past `limit` and was killed.
result<finished_command> run_command(const std::vector<std::string>& words,
                                     const std::string& input = {},
                                     duration limit = std::chrono::minutes(2));

// A word as a shell reads it back, whatever is in it.
std::string shell_quote(const std::string& word);
std::string shell_quote(const std::vector<std::string>& words);

// A program's complaint as a part of a sentence: its lines joined, without the space around them.
std::string one_line(const std::string& text);

} // namespace troupe::launcher
