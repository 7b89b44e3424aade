// The options of the worker's command line.
#pragma once

#include "actors/training/compute.hpp"
#include "actors/training/trainer.hpp"

#include <optional>
#include <span>
#include <string>

namespace troupe::examples {

struct worker_options {
  std::string data = "/usr/share/datasets/fashion-mnist";
  training::training_plan plan{.epochs = 4,
                               .batch = 64,
                               .optimiser
                               = {.learning_rate = 0.1F, .momentum = 0.9F, .weight_decay = 5e-4F}};
  training::computing on = training::computing::any;
  uint64_t steps_per_checkpoint = 100;
  uint64_t steps_per_report = 25;
};

extern const char* const usage;

// The arguments without the program's name. Nothing when help was asked for.
// Errors: invalid, naming the option.
result<std::optional<worker_options>> parse_options(std::span<char* const> arguments);

} // namespace troupe::examples
