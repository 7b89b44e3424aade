// Brings a tree back as files.
//
// Guarantees: the directory is there when all of it is, and not before; what is written on the way
// is `DIRECTORY.part-XXXXXX`, which is removed when it fails and left behind by a kill. Each chunk
// and each file is checked by its SHA-256. Nothing is written beside the tree: paths and links that
// lead out are refused. Files are 0644 or 0755, less what the umask takes.
// Errors: errc::already_exists, errc::io, those of read_tree; errc::corrupt names the chunk and
// the pack, or the file.
// Threads: a plain function, which uses several. It blocks: not for a scheduler thread.
#pragma once

#include "storage/bytes/tree.hpp"

#include <string>

namespace troupe::storage {

struct checkout_options {
  unsigned threads = 1;
  bool durable = true; // on the disk when it returns; else a power cut may leave empty files
};

result<void> checkout(const chunk_store& from, const tree_id& id, const std::string& directory,
                      const checkout_options& options = {});

} // namespace troupe::storage
