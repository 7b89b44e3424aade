// The disk of one simulated node, and how its process makes batches durable.
//
//   sim_disk disk(world);                     // outlives the lives of the node
//   disk.open();                              // at each start: what was not synced is lost
//   sim_committer writer(world, node, disk);  // a commit takes virtual time
//
// A process can be told to die at one of its commits, with the batch on the disk or without it;
// from then on nothing that it does reaches the disk.
#pragma once

#include "storage/commit_inline.hpp"
#include "storage/memory_store.hpp"
#include "tests/support/sim_world.hpp"

#include <deque>

namespace troupe::testing {

class sim_disk final : public storage::store {
public:
  explicit sim_disk(sim_world& world) : world_(world) {}

  // A new life of the process.
  void open();

  // At the commit with this number, from 1 over all lives, the process dies: right after the batch
  // was written, or right before. `died` is called within the commit.
  void die_at(uint64_t commit, bool written, std::function<void()> died);

  // The next commit fails, as on a disk that is full; whether it was written is open.
  void fail_next() { failing_ = true; }

  uint64_t commits() const { return commits_; }

  // Called for each pair that is written.
  std::function<void(std::string_view key, std::string_view value)> on_put
    = [](std::string_view, std::string_view) {};

  result<void> commit(const storage::batch& changes, storage::durability wanted) override;
  result<std::optional<std::string>> get(std::string_view key) const override {
    return kept_.get(key);
  }
  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override {
    return kept_.scan(prefix, from, limit, visit);
  }
  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override {
    return kept_.scan_back(prefix, below, limit, visit);
  }
  std::unique_ptr<storage::reader> snapshot() const override { return kept_.snapshot(); }

private:
  result<void> write(const storage::batch& changes, storage::durability wanted);

  sim_world& world_;
  storage::memory_store kept_;
  uint64_t commits_ = 0;
  uint64_t last_ = 0; // the process dies at this one
  bool last_written_ = false;
  std::function<void()> died_;
  bool dead_ = false;
  bool failing_ = false;
};

// The committer of one life of a node. What is waiting when the node dies never reaches the disk.
class sim_committer final : public storage::committer {
public:
  sim_committer(const sim_node& node, storage::store& target, duration wait_max)
    : world_(node.world), node_(node.name), life_(node.life), wait_max_(wait_max), inner_(target) {}

  result<void> submit(storage::batch changes, done then) override;
  storage::commit_stats stats() const override { return inner_.stats(); }

private:
  void wait(duration span);
  void write_first();

  sim_world& world_;
  const std::string node_;
  const uint64_t life_;
  const duration wait_max_;
  storage::commit_inline inner_;
  std::deque<std::pair<storage::batch, done>> waiting_;
};

} // namespace troupe::testing
