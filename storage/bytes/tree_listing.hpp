// The paths below a directory, as a tree has them.
// Threads: a plain function. It blocks.
#pragma once

#include "storage/bytes/manifest.hpp"

#include <vector>

namespace troupe::storage {

// Files, links with their targets, and folders with nothing in them, sorted by path; files have
// their path only. `directory` is an open directory, `shown` its path for error texts.
// Errors: errc::invalid (a path that may not be in a tree, or what is no file, directory or link),
// errc::io, errc::refused.
result<std::vector<tree_item>> list_tree(int directory, const std::string& shown);

} // namespace troupe::storage
