#include "storage/bytes/transfer.hpp"

#include "storage/bytes/chunk_writer.hpp"
#include "storage/bytes/parallel.hpp"
#include "storage/bytes/tree.hpp"

#include <algorithm>
#include <unordered_set>

namespace troupe::storage {

namespace {

constexpr size_t group_chunks = 256; // that one thread reads together

// The chunks of trees that are not in a store.
class missing_chunks {
public:
  explicit missing_chunks(const chunk_store& to) : to_(to) {}

  void add(std::span<const chunk_id> ids, std::vector<chunk_id>& into) {
    for (auto& each : ids)
      if (seen_.insert(each).second && !to_.contains(each))
        into.push_back(each);
  }

  size_t seen() const { return seen_.size(); }

private:
  const chunk_store& to_;
  std::unordered_set<chunk_id, content_id_hash> seen_;
};

// Moves them in rounds, each of which is committed.
result<void> move(const chunk_store& from, chunk_store& to, std::span<const chunk_id> ids,
                  const transfer_options& options, transfer_progress& progress) {
  chunk_writer writer{to};
  auto before = progress;
  while (!ids.empty()) {
    size_t taken = 0;
    // A group at a time for each thread, until the round is full.
    auto start = writer.written().stored;
    while (taken < ids.size() && writer.written().stored - start < options.round_bytes) {
      auto count = std::min(ids.size() - taken, group_chunks * std::max(options.threads, 1u));
      auto some = ids.subspan(taken, count);
      TROUPE_TRY(in_parallel(count, group_chunks, options.threads, [&](size_t begin, size_t end) {
        auto group = some.subspan(begin, end - begin);
        return from.read(group, [&](const chunk_store::read_chunk& x) {
          return writer.put_stored(group[x.at], x.bytes.size(), x.body);
        });
      }));
      taken += count;
    }
    ids = ids.subspan(taken);
    TROUPE_TRY(writer.commit());
    progress.chunks = before.chunks + writer.written().chunks;
    progress.bytes = before.bytes + writer.written().stored;
    if (options.report)
      options.report(progress);
  }
  return {};
}

} // namespace

result<transferred> transfer(const chunk_store& from, chunk_store& to,
                             std::span<const tree_id> trees, const transfer_options& options) {
  TROUPE_TRY(to.refresh());
  missing_chunks missing{to};
  std::vector<chunk_id> contents, structures;
  for (auto& id : trees) {
    auto what = read_tree(from, id);
    if (!what)
      return what.error();
    for (auto& each : what->items)
      missing.add(each.content(), contents);
    std::reverse(what->structure.begin(), what->structure.end()); // the root last
    missing.add(what->structure, structures);
  }
  from.sort_by_place(contents);
  transfer_progress progress;
  progress.chunks_all = contents.size() + structures.size();
  TROUPE_TRY(move(from, to, contents, options, progress));
  TROUPE_TRY(move(from, to, structures, options, progress));
  return transferred{progress.chunks, progress.bytes, missing.seen() - progress.chunks_all};
}

} // namespace troupe::storage
