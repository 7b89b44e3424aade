// The state of a training on disk, below a directory that all attempts of a job share.
//
// A checkpoint names its plan: one of another plan or network is refused instead of continued. One
// of another world size is continued at the same sample of its epoch. Threads: plain functions that
// block.
#pragma once

#include "actors/training/trainer.hpp"

#include <optional>

namespace troupe::training {

// Returns the path. Errors: io; refused, when a newer attempt has written there.
result<std::string> save_checkpoint(const std::string& directory, uint64_t attempt,
                                    const trainer& of);

// Continues from the newest whole checkpoint; the step where it goes on, or nothing when there is
// none.
// Errors: io; invalid, when it belongs to another plan.
result<std::optional<uint64_t>> resume_newest(const std::string& directory, trainer& into);

// Writes the model alone, without what only training needs, to this path. The file is whole or
// absent.
result<void> save_model(const std::string& path, uint64_t attempt, const trainer& of,
                        double accuracy);

} // namespace troupe::training
