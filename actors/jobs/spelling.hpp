// How far a word is from another: for "did you mean".
#pragma once

#include <cstddef>
#include <string_view>

namespace troupe {

// Levenshtein's: how many letters have to be changed, added or left out.
size_t edit_distance(std::string_view a, std::string_view b);

} // namespace troupe
