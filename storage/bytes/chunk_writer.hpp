// A session that adds chunks to a chunk store: what the store or the session has is not stored
// again.
//
// Guarantees: nothing is visible before commit(), nor after a session that is dropped or fails;
// after a commit() that returned all is durable. A commit() that fails may have made chunks
// visible, whole ones.
// Limits: memory of about three packs for each thread that puts.
// Errors: errc::invalid (a chunk of 0 bytes or more than 4 MiB); those of the object store, which
// end the session: each later call gives the same; errc::unavailable: a sweep removed a chunk that
// the session counts on (the session took longer than the sweep's guard); add everything again.
// Threads: put(), put_stored() and reuse() from any, several at once, each filling a pack of its
// own; commit() when none of them runs.
#pragma once

#include "storage/bytes/chunk_store.hpp"
#include "storage/bytes/pack_uploads.hpp"

#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

namespace troupe::storage {

// Since the session began.
struct written_chunks {
  uint64_t chunks = 0; // new ones
  uint64_t bytes = 0;  // of them
  uint64_t stored = 0; // bytes of them as they are kept
  uint64_t known = 0;  // chunks that were there already
};

class chunk_writer {
public:
  // `into` outlives the session.
  explicit chunk_writer(chunk_store& into);
  ~chunk_writer();

  chunk_writer(const chunk_writer&) = delete;
  chunk_writer& operator=(const chunk_writer&) = delete;

  result<chunk_id> put(std::string_view bytes);

  // The same of a body that was read and checked (chunk_store::read).
  result<void> put_stored(const chunk_id& id, size_t size, std::string_view body);

  // Whether all of them are in the store or the session: then they count as put. False too where
  // the store cannot be asked.
  bool reuse(std::span<const chunk_id> ids);

  // The session goes on afterwards.
  result<void> commit();

  written_chunks written() const;

private:
  struct lane;

  std::unique_ptr<lane> take_lane();
  void return_lane(std::unique_ptr<lane> x);
  bool claim(const chunk_id& id);
  result<void> begin();
  built_pack take(pack_builder& pack);
  result<void> submit(pack_builder& pack);
  result<void> add(lane& to, const chunk_id& id, size_t size, std::string_view body);
  result<std::optional<built_pack>> finish_packs();
  result<void> commit_once();
  result<void> keep_known(std::vector<pack_section>& sections);

  chunk_store& into_;
  pack_uploads uploads_;
  std::once_flag began_;
  result<void> beginning_;
  result<void> ended_;       // by a commit that failed
  mutable std::mutex mutex_; // guards all below
  std::vector<std::unique_ptr<lane>> idle_;
  std::unordered_set<chunk_id, content_id_hash> claimed_; // new ones
  std::vector<chunk_id> known_;                           // of the store, since the last commit
  written_chunks written_;
};

} // namespace troupe::storage
