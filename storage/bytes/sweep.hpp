// Removes what no tree needs from a chunk store, and joins what is small.
//
// A pack without a chunk that is needed is dropped; one of which less than half is, and small ones,
// are written anew; small index objects are joined. What is dropped is condemned first: no index
// names it from then on, it can still be read, and it is removed by a sweep that finds it condemned
// for `guard` or longer. So do packs that a writer put and never committed.
// Guarantees: a kill at any moment loses nothing that is needed: the new is durable before the old
// goes. Where a chunk of a root is missing or damaged, nothing is done.
// Writers and readers may run beside it: a writer whose session, from its begin until its tree is
// among the roots, takes less than `guard` loses nothing. One sweep at a time; whoever calls it
// sees to that.
// Errors: those of chunk_store and read_tree.
// Threads: a plain function. It blocks: not for a scheduler thread.
#pragma once

#include "storage/bytes/chunk_store.hpp"

#include <chrono>
#include <span>

namespace troupe::storage {

struct sweep_options {
  int64_t now_s = 0; // seconds since 1970
  std::chrono::seconds guard = std::chrono::hours{24};
  bool dry_run = false; // changes nothing; says what would be done
};

struct swept {
  uint64_t chunks_live = 0;
  uint64_t chunks_dropped = 0;
  uint64_t packs_condemned = 0;
  uint64_t bytes_condemned = 0; // of their packs
  uint64_t packs_removed = 0;
  uint64_t bytes_removed = 0;
  uint64_t bytes_rewritten = 0;  // of new packs
  uint64_t packs_kept_again = 0; // condemned ones that are needed
  uint64_t index_before = 0;     // index objects
  uint64_t index_after = 0;
};

result<swept> sweep(chunk_store& store, std::span<const tree_id> roots,
                    const sweep_options& options);

} // namespace troupe::storage
