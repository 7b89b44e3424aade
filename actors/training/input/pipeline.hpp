// The samples of an epoch as batches of floats, read ahead of the training by threads.
//
//   auto input = pipeline::make(samples, epoch_order(samples.size(), seed, epoch),
//                               {.inputs = "image", .targets = "label", .map = scale(1 / 255.0F,
//                               0)});
//   for (;;) {
//     auto next = (*input)->next();
//     if (!next || !*next)
//       break;
//     learn((*next)->inputs, (*next)->targets);
//   }
//
// The order of the samples is given, so whoever trains decides what is shuffled and what belongs
// to which rank. Every sample is as near as any other, so the order is one permutation of them all
// and there is no shuffle within a window.
//
// Guarantees: the batches and their bits depend on the dataset, the order and the map, and not on
// the number of workers. At most `depth` batches are read beyond the one that next() gave last.
// Each place for a batch is one piece of memory that is used again and again: nothing is allocated
// for a sample or a batch, unless the dataset or the map do so.
//
// Threads: one calls next(); the map is called by all workers at once. The destructor ends the
// workers after the sample that each of them is at.
#pragma once

#include "actors/training/input/dataset.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace troupe::training {

// Changes the inputs of a sample in place; it must not depend on anything that changes. What is
// random in it comes of a seed, the epoch and the sample's index.
using sample_map = std::function<void(uint32_t sample, std::span<float> inputs)>;

// x -> x * factor + offset.
sample_map scale(float factor, float offset);

struct batch {
  std::span<const float> inputs;  // {batch, shape of the inputs}
  std::span<const float> targets; // {batch, shape of the targets}; class ids as whole numbers
  // The samples of the order; rows behind them, in the last batch, repeat the first ones.
  size_t valid = 0;
};

struct pipeline_options {
  std::string inputs = {};  // the name of a field
  std::string targets = {}; // the same; empty: none, for a model that only predicts
  size_t batch = 64;
  size_t depth = 4; // batches that are read ahead, at least 1
  size_t workers = 1;
  sample_map map = {}; // empty: none
};

class pipeline {
public:
  static constexpr uint64_t memory_max = uint64_t{4} << 30; // of all places together, in bytes

  // `samples` outlives it. Errors: not_found: no such field; invalid: an index beyond the dataset,
  // a number of 0, more than 1024 workers, places of more than memory_max; unavailable: no more
  // threads.
  static result<std::unique_ptr<pipeline>> make(const dataset& samples, std::vector<uint32_t> order,
                                                pipeline_options options);

  virtual ~pipeline() = default;

  // The next batch, valid until the next call; nothing at the end. Errors: those of the dataset, in
  // place of the batch with the sample that cannot be read; that is the end.
  virtual result<std::optional<batch>> next() = 0;
};

} // namespace troupe::training
