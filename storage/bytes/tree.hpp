// A directory or a file as chunks: the root chunk names it, a manifest in small chunks lists it.
// tree_add.hpp makes one, tree_checkout.hpp brings it back; formats.md has the bytes.
// Limits: a manifest has at most 1 GiB.
// Errors: those of chunk_store; errc::invalid (no tree, or one with paths that may not be),
// errc::corrupt (of another shape).
// Threads: plain functions. They block: not for a scheduler thread.
#pragma once

#include "storage/bytes/chunk_store.hpp"
#include "storage/bytes/chunk_writer.hpp"
#include "storage/bytes/manifest.hpp"

#include <vector>

namespace troupe::storage {

struct tree {
  uint64_t bytes = 0;              // of all files
  std::vector<tree_item> items;    // sorted by path
  std::vector<chunk_id> structure; // the root, the lists, the manifest: it first, then in order
};

// The items are sorted by path and were checked; their chunks are put already.
result<tree_id> put_tree(chunk_writer& into, std::span<const tree_item> items);

result<tree> read_tree(const chunk_store& from, const tree_id& id);

} // namespace troupe::storage
