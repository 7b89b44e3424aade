// The state of a training on disk, below a directory that all attempts of a job share.
//
// A checkpoint names its plan: one of another plan or network is refused instead of continued. One
// of another world size is continued at the same sample of its epoch. Each rank of a gang may write
// a shard of it: an even slice of the parameters and of the optimiser's arrays. Where the shards of
// the newest are not all there and whole, the newest one that is complete counts. Threads: one at a
// time for a writer; all else are plain functions. They block.
#pragma once

#include "actors/training/trainer.hpp"
#include "storage/checkpoint.hpp"

#include <future>
#include <optional>
#include <set>

namespace troupe::training {

// Writes the checkpoints of one rank while the training goes on, one at a time. Destroyed, it waits
// for the last. Of a gang, the writer of the shard 0 prunes: the newest 3 complete ones stay.
class checkpoint_writer {
public:
  // Jobs may have a directory in common: shards of two jobs are never one checkpoint.
  explicit checkpoint_writer(std::string directory, std::string job = {})
    : directory_(std::move(directory)), job_(std::move(job)) {}

  checkpoint_writer(checkpoint_writer&&) = delete;

  // Waits until the checkpoint before is written, copies this shard of the state, and has it
  // written. Nothing is copied or written when the one before failed. Errors: those of the one
  // before, once: io; refused, when a newer attempt has written there.
  result<void> save(const trainer& of, uint64_t attempt,
                    const storage::checkpoint_shard& shard = {});

  // Until the last one is written. Errors: those of the last one, once.
  result<void> wait();

private:
  std::string directory_;
  std::string job_;
  std::set<std::string> known_; // to be whole; of the thread that writes
  std::future<result<void>> writing_;
};

// Whether the ranks of a gang have this directory in common, so that each can write its shard
// there. All ranks call it with the same text `once`, which no other call on this directory has.
// Errors: those of the group.
result<bool> share_directory(const std::string& directory, const std::string& once,
                             collective::group* gang);

// Continues from the newest checkpoint that is complete and whole; the step where it goes on, or
// nothing when there is none.
// Errors: io; invalid, when it belongs to another plan.
result<std::optional<uint64_t>> resume_newest(const std::string& directory, trainer& into);

// Writes the model alone, without what only training needs, to this path. The file is whole or
// absent.
result<void> save_model(const std::string& path, uint64_t attempt, const trainer& of,
                        double accuracy);

} // namespace troupe::training
