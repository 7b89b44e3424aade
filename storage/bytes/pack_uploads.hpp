// Puts packs into an object store, several at once, while others are filled.
//
// Guarantees: after an error nothing more is put, and every call gives that error.
// Limits: `at_once` packs on their way and as many that wait; submit() waits beyond.
// Threads: any; it has `at_once` of its own from the first pack on.
#pragma once

#include "storage/bytes/chunk_pack.hpp"
#include "storage/bytes/object_store.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace troupe::storage {

class pack_uploads {
public:
  // `into` outlives this.
  pack_uploads(object_store& into, unsigned at_once);
  ~pack_uploads(); // what waits is not put any more

  pack_uploads(const pack_uploads&) = delete;
  pack_uploads& operator=(const pack_uploads&) = delete;

  result<void> submit(built_pack pack);

  // Puts the last one itself, if there is one, and waits for all; the sections of those that were
  // put since the last call.
  result<std::vector<pack_section>> finish(std::optional<built_pack> last);

private:
  void work();
  void put(built_pack pack);

  object_store& into_;
  const unsigned at_once_;
  std::mutex mutex_; // guards all below
  std::condition_variable changed_;
  std::deque<built_pack> waiting_;
  std::vector<pack_section> done_;
  result<void> outcome_;
  unsigned busy_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

} // namespace troupe::storage
