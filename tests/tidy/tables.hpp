// The tables that the rules read: change the architecture here, on purpose, and in design terms.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace troupe::tidy {

// Files whose path starts with `from` may include ours that start with one of `to`. The first row
// that matches counts.
struct arrow {
  std::string_view from;
  std::vector<std::string_view> to;
};

std::span<const arrow> arrows();

// Headers that start with `header` may be seen by files whose path starts with one of `in`.
struct foreign {
  std::string_view header;
  std::vector<std::string_view> in;
};

std::span<const foreign> foreign_headers();

// A call that is banned outside the files whose path starts with one of `in`.
struct ban {
  std::string_view call;
  std::vector<std::string_view> in;
  std::string_view instead;
};

std::span<const ban> bans();

} // namespace troupe::tidy
