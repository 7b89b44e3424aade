// The files of bundles: added to a chunk store, listed, read one by one.
// Threads: plain functions, which use several. They block.
#pragma once

#include "launcher/bundle_place.hpp"
#include "storage/bytes/tree.hpp"

#include <functional>

namespace troupe::launcher {

struct added_files {
  std::string tree; // in hexadecimal digits
  uint64_t files = 0;
  uint64_t bytes = 0;
  bool is_file = false; // one file was named, and no directory
};

// A directory becomes the tree, as it is; a file a tree of its own; of several each is a file or
// directory of the tree, under its own name. What did not change since it was added last is not
// read again.
// Errors: errc::invalid (two of one name), those of add_tree.
result<added_files> add_files(bundle_place& to, const std::vector<std::string>& paths);

// Errors: errc::unavailable (its bytes are not here), those of read_tree.
result<storage::tree> files_of(const storage::chunk_store& in, const storage::bundle& x);

// The bytes of a file, piece by piece.
result<void> read_file(const storage::chunk_store& from, const storage::tree_item& file,
                       const std::function<result<void>(std::string_view)>& into);

} // namespace troupe::launcher
