// The metadata store: what was made of what, by what. It is a projection of the event log: each
// set of changes commits in one batch with the sequence number of its event, so a replay after a
// crash neither loses nor repeats one. Another projection of the same log (`beside`) commits with
// it.
//
// Guarantees: applying an event again changes nothing. A set of changes is written whole or not at
// all. Both ends of an edge exist.
// Threads: every function may be called from any thread. Answers come where the committer calls
// them, or at once on the caller's thread for a refusal; sets are applied in the order of the
// calls. The destructor waits for those under way; it may not run on the committer's thread.
// Errors: errc::invalid (malformed, too large, or an edge to nothing: nothing was written),
// errc::not_found, errc::corrupt, and those of committer.
#pragma once

#include "storage/committer.hpp"
#include "storage/metadata_record.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <variant>

namespace troupe::storage {

enum class lineage_direction : uint8_t { upstream, downstream, both };

struct lineage_node {
  uint32_t depth = 0; // edges between it and the start
  std::variant<artifact, execution> what;

  const std::string& id() const;
};

struct lineage_graph {
  std::vector<lineage_node> nodes; // the start first, then by depth
  std::vector<lineage_event> edges;
  bool truncated = false; // `nodes_max` was reached
};

class metadata {
public:
  // Both outlive this.
  static result<std::unique_ptr<metadata>> open(store& target, committer& writer);

  ~metadata();

  // Applies what the event of that number (from 1) changes; a number that was applied is answered
  // as done. After a failed write the number has to be applied again before a higher one
  // (errc::refused); after errc::invalid it may be skipped.
  void apply(uint64_t sequence, metadata_changes changes, committer::done then);

  // The highest number that is durable.
  uint64_t applied() const;

  // By id.
  result<artifact> get_artifact(std::string_view id) const;
  result<execution> get_execution(std::string_view id) const;

  // By type, or by one property ("job", "3"); in the order of ids, at most `limit`.
  result<std::vector<artifact>> artifacts_of_type(std::string_view type, size_t limit) const;
  result<std::vector<artifact>> artifacts_where(std::string_view name, std::string_view value,
                                                size_t limit) const;

  // All with ids >= `from`, in the order of ids, at most `limit`.
  result<std::vector<artifact>> artifacts(std::string_view from, size_t limit) const;
  result<std::vector<execution>> executions(std::string_view from, size_t limit) const;

  // What an artifact or execution was made of (upstream), what was made of it (downstream), or
  // both, up to `depth_max` edges away.
  result<lineage_graph> lineage(std::string_view id, lineage_direction wanted, uint32_t depth_max,
                                size_t nodes_max = 10'000) const;

private:
  struct entry {
    uint64_t sequence = 0;
    metadata_changes changes;
    committer::done then;
  };

  metadata(store& target, committer& writer) : store_(target), committer_(writer) {}

  bool next(entry& to);
  void work();
  bool start(entry x);
  void finish(uint64_t sequence, const result<void>& committed);
  result<batch> prepare(const entry& x) const;
  result<void> put(batch& into, const artifact& x) const;
  result<void> check_end(const std::string& key, std::string_view what) const;

  store& store_;
  committer& committer_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<entry> waiting_;
  bool busy_ = false; // one set at a time: the next one reads what the last one wrote
  uint64_t applied_ = 0;
  uint64_t missing_ = 0; // the lowest number whose write failed; 0 for none
};

} // namespace troupe::storage
