#include "actors/training/checkpoints.hpp"

#include "storage/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace troupe::training {

namespace {

constexpr size_t checkpoints_kept = 3;
constexpr const char* plan_key = "plan";
constexpr const char* epoch_key = "steps per epoch";

// All that a continued training must have in common with the one before; not its ranks.
std::string fingerprint(const trainer& of) {
  const auto& plan = of.plan();
  std::string text = "seed " + std::to_string(plan.seed);
  text += ", epochs " + std::to_string(plan.epochs);
  text += ", batch " + std::to_string(plan.batch);
  text += ", learning rate " + std::to_string(plan.learning_rate);
  text += ", momentum " + std::to_string(plan.momentum);
  text += ", weight decay " + std::to_string(plan.weight_decay);
  return text;
}

storage::tensor_view array_of(const char* name, const std::vector<float>& values) {
  return {name, {values.size()}, values};
}

const storage::tensor* find(const storage::checkpoint& in, std::string_view name) {
  auto found = std::find_if(in.tensors.begin(), in.tensors.end(),
                            [&](const auto& each) { return each.name == name; });
  return found == in.tensors.end() ? nullptr : &*found;
}

// The step that is as far into its epoch as the saved one was into its own: with another number of
// ranks an epoch has another number of steps.
result<uint64_t> step_in(const trainer& into, const storage::checkpoint& saved) {
  auto known = saved.meta.find(epoch_key);
  uint64_t per_epoch = 0;
  if (known != saved.meta.end())
    std::from_chars(known->second.data(), known->second.data() + known->second.size(), per_epoch);
  if (per_epoch == 0)
    return {errc::invalid, "The checkpoint does not say how long its epochs are: use another "
                           "checkpoint directory."};
  auto epoch = saved.step / per_epoch;
  auto within = saved.step % per_epoch * into.steps_per_epoch() / per_epoch;
  return epoch * into.steps_per_epoch() + within;
}

} // namespace

result<std::string> save_checkpoint(const std::string& directory, uint64_t attempt,
                                    const trainer& of) {
  auto state = of.state();
  std::array tensors{array_of("parameters", state.parameters),
                     array_of("velocity", state.velocity)};
  auto written = storage::write_checkpoint(
    directory, attempt, state.step, tensors,
    {{plan_key, fingerprint(of)}, {epoch_key, std::to_string(of.steps_per_epoch())}});
  if (!written)
    return written.error();
  TROUPE_TRY(storage::prune_checkpoints(directory, checkpoints_kept));
  return written->path;
}

result<std::optional<uint64_t>> resume_newest(const std::string& directory, trainer& into) {
  auto newest = storage::newest_checkpoint(directory);
  if (!newest)
    return newest.error();
  if (!*newest)
    return std::optional<uint64_t>{};
  const auto& path = (*newest)->path;
  auto read = storage::read_checkpoint(path);
  if (!read)
    return read.error();
  auto plan = read->meta.find(plan_key);
  if (plan == read->meta.end() || plan->second != fingerprint(into)) {
    auto theirs = plan == read->meta.end() ? std::string("none") : plan->second;
    return {errc::invalid, "The checkpoint " + path + " belongs to another plan (" + theirs
                             + "): use the same options, or another checkpoint directory."};
  }
  const auto* parameters = find(*read, "parameters");
  const auto* velocity = find(*read, "velocity");
  if (!parameters || !velocity)
    return {errc::invalid,
            "The checkpoint " + path + " holds no training state: use another directory."};
  auto step = step_in(into, *read);
  if (!step)
    return step.error();
  TROUPE_TRY(into.restore({*step, parameters->values, velocity->values}));
  return std::optional<uint64_t>{*step};
}

result<void> save_model(const std::string& path, uint64_t attempt, const trainer& of,
                        double accuracy) {
  namespace fs = std::filesystem;
  // Storage names its files by attempt and step: the model is written beside its place and renamed.
  auto aside = path + ".parts";
  auto state = of.state();
  std::array tensors{array_of("parameters", state.parameters)};
  auto written = storage::write_checkpoint(
    aside, attempt, state.step, tensors,
    {{plan_key, fingerprint(of)}, {"accuracy", std::to_string(accuracy)}});
  if (!written)
    return written.error();
  std::error_code failed;
  fs::rename(written->path, path, failed);
  if (failed)
    return {errc::io, "The model cannot be written to " + path + ", " + failed.message()
                        + ": name a directory that is writable."};
  fs::remove_all(aside, failed);
  return {};
}

} // namespace troupe::training
