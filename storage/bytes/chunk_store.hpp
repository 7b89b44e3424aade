// Chunks of content by their SHA-256, compressed, in packs of about 16 MiB that index objects name;
// formats.md has the bytes. An object_store holds it all.
//
// Guarantees: a chunk that is there is whole: each read checks its SHA-256. What a writer
// (chunk_writer.hpp) has not committed is not there. Any number of processes read and write one
// store at once, without locks; what others committed is found when it is asked for.
// sweep.hpp says how long a writer may take beside a sweep.
// Limits: a chunk has 1 byte to 4 MiB; memory: about 80 bytes for each chunk in the store.
// Errors: those of object_store; errc::not_found (no such chunk), errc::corrupt (the message names
// the chunk and the pack).
// Threads: every function from any thread. They block: not for a scheduler thread.
#pragma once

#include "storage/bytes/chunk_index.hpp"
#include "storage/bytes/object_store.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace troupe::storage {

struct chunk_store_options {
  size_t pack_bytes = 16u << 20; // a pack is closed when it has so many
  int compression = 1;           // zstd's level
  unsigned uploads = 2;          // packs that a writer puts at once
};

class chunk_store {
public:
  // A chunk that was read: `at` is its place among the ids that were asked for, `body` what is
  // stored. Both views hold during the call.
  struct read_chunk {
    size_t at;
    std::string_view bytes;
    std::string_view body;
  };
  using sink = std::function<result<void>(const read_chunk&)>;

  // Reads the index objects and nothing else. `objects` outlives the store.
  static result<std::unique_ptr<chunk_store>> open(object_store& objects,
                                                   const chunk_store_options& options = {});

  // Whether it is there as far as is known: what others wrote since the last refresh() is not.
  bool contains(const chunk_id& id) const;

  // Which of them are not, by their place among `ids`.
  std::vector<size_t> missing(std::span<const chunk_id> ids) const;

  result<std::string> get(const chunk_id& id) const;

  // Reads them in the order in which they lie, neighbours together; an error of `into` is the
  // error. Memory: 8 MiB.
  result<void> read(std::span<const chunk_id> ids, const sink& into) const;

  // Sorts chunks by where they lie; those that are not there come last.
  void sort_by_place(std::vector<chunk_id>& ids) const;

  // Learns what others wrote and swept.
  result<void> refresh() const;

  object_store& objects() const noexcept { return objects_; }
  const chunk_store_options& options() const noexcept { return options_; }

  // The section of a pack that a sweep condemned and that has the chunk; null where there is none.
  // As of the last refresh().
  std::shared_ptr<const pack_section> condemned(const chunk_id& id) const;

  // Whether a sweep condemned the pack, whose name is not to be used again. As of the last
  // refresh().
  bool is_condemned(const pack_id& pack) const;

  // Makes new packs visible, which are in `objects` already: puts an index object, and more where
  // they have more than a million chunks. Their names.
  result<std::vector<std::string>> add(std::span<const pack_section> sections);

private:
  // What was read of the store.
  struct contents {
    std::set<std::string> loaded; // names of index objects and condemned records
    chunk_index index;
    chunk_index condemned; // the pack's number is that of its section
    std::vector<std::shared_ptr<const pack_section>> condemned_sections;
    std::unordered_set<pack_id, content_id_hash> condemned_packs;
  };

  struct located {
    size_t at;
    chunk_place place;
    pack_id pack;
  };

  chunk_store(object_store& objects, const chunk_store_options& options)
    : objects_(objects), options_(options) {}

  result<void> load(bool condemned_too) const;
  result<bool> load_once(bool condemned_too) const;
  result<void> load_index(contents& into, const std::string& object) const;
  result<void> load_condemned(contents& into, const std::string& object) const;
  std::vector<size_t> locate(std::span<const chunk_id> ids, std::vector<located>& found) const;
  result<void> read_located(std::span<const chunk_id> ids, std::vector<located>& found,
                            const sink& into, std::vector<size_t>& lost) const;

  object_store& objects_;
  const chunk_store_options options_;
  mutable std::mutex loading_;      // one load at a time; before mutex_
  mutable std::shared_mutex mutex_; // guards contents_
  mutable contents contents_;
};

} // namespace troupe::storage
