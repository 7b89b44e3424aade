#include "runtime/base/error.hpp"

#include <array>

namespace troupe {

namespace {

struct row {
  std::string_view name;
  bool repeat;
};

// One row per code, in the order of the enumeration.
constexpr std::array<row, static_cast<size_t>(errc_last) + 1> rows{{
  {"ok", true},
  {"invalid", false},
  {"not found", false},
  {"already exists", false},
  {"refused", false},
  {"queue full", true},
  {"deadline", false},
  {"node lost", false},
  {"no such actor", false},
  {"corrupt", false},
  {"input/output", false},
  {"unavailable", true},
  {"aborted", false},
  {"internal", false},
}};

} // namespace

std::string_view name_of(errc code) noexcept {
  auto index = static_cast<size_t>(code);
  return index < rows.size() ? rows[index].name : "unknown";
}

bool may_repeat(errc code) noexcept {
  auto index = static_cast<size_t>(code);
  return index < rows.size() && rows[index].repeat;
}

std::string printable(std::string_view foreign) {
  std::string out{foreign.substr(0, 40)};
  for (auto& c : out)
    if (c < ' ' || c > '~')
      c = '?';
  return foreign.size() > out.size() ? out.append("...") : out;
}

} // namespace troupe
