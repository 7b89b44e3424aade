// Adds a directory or a file to a chunk store.
//
// Guarantees: the same content gives the same tree, whoever adds it and wherever. A file that
// changes its length while it is read ends it with an error; files that change otherwise may be
// caught in between. A file that did not change since the stat cache was made is not read.
// Errors: errc::not_found, errc::io, errc::refused; errc::invalid: a path that may not be in a tree
// (formats.md), a link out of it, what is no file, directory or link; errc::unavailable: a file
// changed meanwhile; those of chunk_writer.
// Threads: a plain function, which uses several. It blocks: not for a scheduler thread.
#pragma once

#include "storage/bytes/chunker.hpp"
#include "storage/bytes/tree.hpp"

#include <string>

namespace troupe::storage {

struct add_options {
  unsigned threads = 1;
  chunk_sizes sizes{};

  // The stat cache of what is added, a file beside the store; none where it is empty.
  std::string cache{};

  // Nanoseconds since 1970, now, on the clock of the files. 0: what is read is not trusted again.
  int64_t now_ns = 0;
};

struct added_tree {
  tree_id id;
  uint64_t files = 0;
  uint64_t bytes = 0;      // of all files
  uint64_t files_read = 0; // the others were in the stat cache
};

// `path` may be a link to a directory or a file. The tree is there when `into` was committed.
result<added_tree> add_tree(chunk_writer& into, const std::string& path,
                            const add_options& options = {});

} // namespace troupe::storage
