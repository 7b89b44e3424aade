// Brings the chunks of trees from one store to another: those only that the other lacks.
//
// Guarantees: every chunk is checked on its way. Chunks get visible in rounds of about
// `round_bytes`, each durable before the next begins, and the trees' own chunks after those of
// their files: a transfer that was interrupted and is repeated moves what is missing, and what was
// under way. When it returns, the trees are whole in `to` (sweep.hpp says for how long, until
// they are among the roots).
// Errors: those of both stores and of read_tree; what was moved before stays.
// Threads: a plain function, which uses several. It blocks: not for a scheduler thread.
#pragma once

#include "storage/bytes/chunk_store.hpp"

#include <functional>
#include <span>

namespace troupe::storage {

struct transfer_progress {
  uint64_t chunks = 0;     // moved, of
  uint64_t chunks_all = 0; // that were missing
  uint64_t bytes = 0;      // moved, as they are stored
};

struct transfer_options {
  unsigned threads = 4;
  uint64_t round_bytes = 256u << 20;

  // After each round; called by one thread.
  std::function<void(const transfer_progress&)> report{};
};

struct transferred {
  uint64_t chunks = 0; // that were moved
  uint64_t bytes = 0;  // of them, as they are stored
  uint64_t known = 0;  // chunks that were there already
};

result<transferred> transfer(const chunk_store& from, chunk_store& to,
                             std::span<const tree_id> trees, const transfer_options& options = {});

} // namespace troupe::storage
