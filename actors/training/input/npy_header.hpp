// The header of a .npy array: a literal of a dictionary in Python's syntax.
#pragma once

#include "actors/training/input/array.hpp"

namespace troupe::training {

// "PATH WHY" and what to do stand in errors. Errors: corrupt: no such dictionary; invalid: an
// array that is not read (see npy.hpp).
result<array_header> parse_npy_header(const std::string& path, std::string_view text);

} // namespace troupe::training
