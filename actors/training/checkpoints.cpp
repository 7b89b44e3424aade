#include "actors/training/checkpoints.hpp"

#include "storage/checkpoint_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace troupe::training {

namespace {

constexpr size_t checkpoints_kept = 3;
constexpr const char* plan_key = "plan";
constexpr const char* position_key = "position"; // updates, epoch, consumed, good steps
constexpr const char* scale_key = "loss scale";
constexpr const char* epoch_key = "steps per epoch"; // of version 0.1.0
constexpr const char* job_key = "job";               // of a shard

// As version 0.1.0 wrote it, and then what it did not have.
std::string first_choices(const trainer& of) {
  const auto& plan = of.plan();
  std::string text = "seed " + std::to_string(plan.seed);
  text += ", epochs " + std::to_string(plan.epochs);
  text += ", batch " + std::to_string(plan.batch);
  text += ", accumulate " + std::to_string(plan.accumulate);
  text += ", optimiser " + std::to_string(static_cast<int>(plan.optimiser.kind));
  text += ", learning rate " + std::to_string(plan.optimiser.learning_rate);
  text += ", momentum " + std::to_string(plan.optimiser.momentum);
  text += ", weight decay " + std::to_string(plan.optimiser.weight_decay);
  return text;
}

// So many digits that another value is another text.
std::string exact(float x) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), x).ptr};
}

// All that a continued training must have in common with the one before; not its ranks.
std::string fingerprint(const trainer& of) {
  const auto& plan = of.plan();
  auto text = first_choices(of);
  for (auto& [name, value] : std::initializer_list<std::pair<const char*, float>>{
         {"exact learning rate", plan.optimiser.learning_rate},
         {"exact momentum", plan.optimiser.momentum},
         {"exact weight decay", plan.optimiser.weight_decay},
         {"nesterov", plan.optimiser.nesterov ? 1.0F : 0.0F},
         {"beta1", plan.optimiser.beta1},
         {"beta2", plan.optimiser.beta2},
         {"rho", plan.optimiser.rho},
         {"epsilon", plan.optimiser.epsilon},
         {"warm-up", static_cast<float>(plan.rate.warm_up)},
         {"decay", static_cast<float>(plan.rate.falls)},
         {"clip norm", plan.clip_norm},
         {"loss scale", plan.loss_scale}})
    text.append(", ").append(name).append(" ").append(exact(value));
  return text;
}

// As version 0.1.0 wrote it, whose optimiser was SGD.
std::string without_choices(std::string fingerprint) {
  constexpr std::string_view choices = ", accumulate 1, optimiser 0";
  if (auto at = fingerprint.find(choices); at != std::string::npos)
    fingerprint.erase(at, choices.size());
  return fingerprint;
}

storage::tensor_view array_of(const char* name, const std::vector<float>& values) {
  return {name, {values.size()}, values};
}

// Empty where there is none of that name.
std::vector<float> values_of(const storage::checkpoint& in, std::string_view name) {
  auto found = std::find_if(in.tensors.begin(), in.tensors.end(),
                            [&](const auto& each) { return each.name == name; });
  return found == in.tensors.end() ? std::vector<float>{} : found->values;
}

result<std::vector<uint64_t>> numbers_of(const storage::checkpoint& in, const char* key,
                                         size_t count) {
  std::vector<uint64_t> out;
  auto known = in.meta.find(key);
  const auto* at = known == in.meta.end() ? nullptr : known->second.data();
  const auto* end = at ? at + known->second.size() : nullptr;
  for (uint64_t number = 0; at != end; at += at != end && *at == ' ' ? 1 : 0) {
    auto [next, failed] = std::from_chars(at, end, number);
    if (failed != std::errc{})
      break;
    out.push_back(number);
    at = next;
  }
  if (out.size() != count)
    return {errc::invalid, "The checkpoint does not say where the training was: use another "
                           "checkpoint directory."};
  return out;
}

result<training_state> state_in(const storage::checkpoint& saved) {
  auto position = numbers_of(saved, position_key, 4);
  if (!position)
    return position.error();
  auto scale = numbers_of(saved, scale_key, 1);
  if (!scale)
    return scale.error();
  training_state out;
  out.step = saved.step;
  out.updates = (*position)[0];
  out.epoch = (*position)[1];
  out.consumed = (*position)[2];
  out.good_steps = (*position)[3];
  out.loss_scale = std::bit_cast<float>(static_cast<uint32_t>(scale->front()));
  out.parameters = values_of(saved, "parameters");
  out.optimiser = values_of(saved, "optimiser");
  out.statistics = values_of(saved, "statistics");
  return out;
}

// Of version 0.1.0: its steps were of a batch of each rank, in the same order of samples, and what
// was left of an epoch was not used.
result<training_state> state_of_0_1_0(const storage::checkpoint& saved, const trainer& into) {
  auto per_epoch = numbers_of(saved, epoch_key, 1);
  if (!per_epoch)
    return per_epoch.error();
  auto steps = std::max<uint64_t>(per_epoch->front(), 1);
  auto samples = into.samples_per_epoch();
  auto together = samples / steps / into.plan().batch * into.plan().batch; // of all ranks
  return training_state{.step = saved.step,
                        .updates = saved.step,
                        .epoch = saved.step / steps,
                        .consumed = saved.step % steps * together,
                        .loss_scale = into.plan().loss_scale,
                        .parameters = values_of(saved, "parameters"),
                        .optimiser = values_of(saved, "velocity")};
}

} // namespace

result<void> checkpoint_writer::save(const trainer& of, uint64_t attempt,
                                     const storage::checkpoint_shard& shard) {
  TROUPE_TRY(wait());
  auto taken = of.state(shard.index, shard.count);
  if (!taken)
    return taken.error();
  auto state = *std::move(taken);
  std::string position;
  for (auto each : {state.updates, state.epoch, state.consumed, state.good_steps})
    position.append(position.empty() ? "" : " ").append(std::to_string(each));
  std::map<std::string, std::string> meta{
    {plan_key, fingerprint(of)},
    {position_key, position},
    {scale_key, std::to_string(std::bit_cast<uint32_t>(state.loss_scale))}};
  if (shard.count > 1)
    meta.emplace(job_key, job_);
  auto write = [this, attempt, shard, state = std::move(state), meta = std::move(meta)] {
    std::vector<storage::tensor_view> tensors;
    for (const auto& [name, values] :
         {std::pair{"parameters", &state.parameters}, std::pair{"optimiser", &state.optimiser},
          std::pair{"statistics", &state.statistics}})
      if (!values->empty())
        tensors.push_back(array_of(name, *values));
    auto written = storage::write_checkpoint(directory_, attempt, state.step, tensors, meta, shard);
    if (!written)
      return result<void>(written.error());
    return shard.index == 0 ? storage::prune_checkpoints(directory_, checkpoints_kept, &known_)
                            : result<void>{};
  };
  writing_ = std::async(std::launch::async, std::move(write));
  return {};
}

result<void> checkpoint_writer::wait() {
  return writing_.valid() ? writing_.get() : result<void>{};
}

result<bool> share_directory(const std::string& directory, const std::string& once,
                             collective::group* gang) {
  namespace fs = std::filesystem;
  if (!gang)
    return true;
  auto mark = fs::path(directory) / (".shared-" + once);
  auto makes_it = gang->rank() == 0;
  if (makes_it && storage::make_directory(directory))
    std::ofstream{mark}; // where it cannot be made, no rank sees it
  std::array<int64_t, 1> seen{};
  auto met = gang->barrier();
  std::error_code failed;
  if (met) {
    seen[0] = fs::exists(mark, failed) ? 1 : 0;
    met = gang->allreduce(seen, collective::reduction::sum);
  }
  if (makes_it)
    fs::remove(mark, failed);
  TROUPE_TRY(met);
  return seen[0] == int64_t{gang->size()};
}

result<std::optional<uint64_t>> resume_newest(const std::string& directory, trainer& into) {
  auto newest = storage::newest_checkpoint(directory);
  if (!newest)
    return newest.error();
  if (!*newest)
    return std::optional<uint64_t>{};
  const auto& path = (*newest)->paths.front();
  auto read = storage::read_checkpoint(**newest);
  if (!read)
    return read.error();
  auto plan = read->meta.find(plan_key);
  auto old = read->meta.contains(epoch_key);
  auto wanted = old ? without_choices(first_choices(into)) : fingerprint(into);
  if (plan == read->meta.end() || plan->second != wanted) {
    auto theirs = plan == read->meta.end() ? std::string("none") : plan->second;
    return {errc::invalid, "The checkpoint " + path + " belongs to another plan (" + theirs
                             + "): use the same options, or another checkpoint directory."};
  }
  auto state = old ? state_of_0_1_0(*read, into) : state_in(*read);
  if (!state)
    return state.error();
  auto step = state->step;
  TROUPE_TRY(into.restore(*std::move(state)));
  return std::optional<uint64_t>{step};
}

result<void> save_model(const std::string& path, uint64_t attempt, const trainer& of,
                        double accuracy) {
  namespace fs = std::filesystem;
  // Storage names its files by attempt and step: the model is written beside its place and renamed.
  auto aside = path + ".parts";
  auto state = of.state();
  if (!state)
    return state.error();
  std::array tensors{array_of("parameters", state->parameters)};
  auto written = storage::write_checkpoint(
    aside, attempt, state->step, tensors,
    {{plan_key, fingerprint(of)}, {"accuracy", std::to_string(accuracy)}});
  if (!written)
    return written.error();
  std::error_code failed;
  fs::rename(written->paths.front(), path, failed);
  if (failed)
    return {errc::io, "The model cannot be written to " + path + ", " + failed.message()
                        + ": name a directory that is writable."};
  fs::remove_all(aside, failed);
  return {};
}

} // namespace troupe::training
