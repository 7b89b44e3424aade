#include "actors/training/trainer.hpp"

#include "actors/training/epoch_order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace troupe::training {

namespace {

// What the ranks add up beside the gradients. It is known last, and so comes first in the row,
// where the bucket is that is exchanged last. The gradients begin at a cache line.
enum head : uint8_t { loss_sum, leaving, saving, head_count = 16 };

constexpr uint64_t steps_per_growth = 2000; // good ones, until the loss scale is doubled again
constexpr float scale_least = 1;
constexpr float scale_most = 16777216; // 2^24

bool sensible(const training_plan& plan) {
  auto positive_or_0 = [](float x) { return std::isfinite(x) && x >= 0; };
  return plan.epochs > 0 && plan.batch > 0 && plan.accumulate > 0 && positive_or_0(plan.clip_norm)
         && positive_or_0(plan.loss_scale);
}

// Whether the network can learn them.
result<void> check(const sample_set& samples, const network& net) {
  if (samples.from->size() == 0)
    return {errc::invalid, "There are no samples to train with: name data that has some."};
  for (auto [name, row] : {std::pair{&samples.inputs, net.input_row()},
                           std::pair{&samples.targets, net.target_row()}}) {
    auto place = find_field(*samples.from, *name);
    if (!place)
      return place.error();
    if (auto values = samples.from->fields()[*place].values(); values != row)
      return {errc::invalid, "The field " + *name + " of a sample has " + std::to_string(values)
                               + " values and the network takes " + std::to_string(row)
                               + ": make the network for this data."};
  }
  return {};
}

} // namespace

// Samples of the epoch's order.
struct trainer::share {
  size_t first = 0;
  size_t last = 0;
  size_t together = 0; // of all ranks
};

result<trainer> trainer::make(const kernels::backend& on, network net, const sample_set& samples,
                              const training_plan& plan) {
  if (!sensible(plan))
    return {errc::invalid,
            "The training plan makes no sense: epochs, batch and accumulate must be above 0, the "
            "largest norm and the loss scale at least 0."};
  TROUPE_TRY(check(plan.optimiser));
  TROUPE_TRY(check(plan.rate));
  TROUPE_ASSERT(net.batch() == plan.batch);
  TROUPE_TRY(check(samples, net));
  trainer made(on, std::move(net), samples, plan);
  TROUPE_TRY(made.allocate());
  TROUPE_TRY(made.join({}));
  return made;
}

result<void> trainer::allocate() {
  auto array = parameter_count() * sizeof(float);
  auto optimiser = device().allocate(state_arrays(plan_.optimiser) * array);
  if (!optimiser)
    return optimiser.error();
  optimiser_ = *std::move(optimiser);
  if (plan_.accumulate == 1)
    return {};
  auto micro = device().allocate(array);
  if (!micro)
    return micro.error();
  micro_ = *std::move(micro);
  return {};
}

std::span<float> trainer::optimiser_arrays() const {
  return optimiser_->row<float>();
}

double trainer::epochs_done() const {
  return static_cast<double>(state_.epoch)
         + static_cast<double>(state_.consumed) / static_cast<double>(samples_.from->size());
}

result<training_state> trainer::state(uint32_t index, uint32_t count) const {
  training_state out{.step = state_.step,
                     .updates = state_.updates,
                     .epoch = state_.epoch,
                     .consumed = state_.consumed,
                     .loss_scale = state_.loss_scale,
                     .good_steps = state_.good_steps};
  auto take = [&](std::span<const float> from, std::vector<float>& to) {
    auto slice = from.first(from.size() * (index + 1) / count).subspan(from.size() * index / count);
    to.resize(slice.size());
    return device().get(to, slice);
  };
  TROUPE_TRY(take(network_.parameters(), out.parameters));
  TROUPE_TRY(take(optimiser_arrays(), out.optimiser));
  if (index == 0) {
    out.statistics.resize(network_.statistics_count());
    network_.copy_statistics(out.statistics);
  }
  return out;
}

result<void> trainer::restore(training_state state) {
  if (state.parameters.size() != parameter_count()
      || state.optimiser.size() != optimiser_arrays().size()
      || state.statistics.size() != network_.statistics_count())
    return {errc::invalid, "The checkpoint is of another network or optimiser: start with an empty "
                           "checkpoint directory."};
  if (state.epoch > plan_.epochs || state.consumed >= samples_.from->size())
    return {errc::invalid, "The checkpoint is at sample " + std::to_string(state.consumed)
                             + " of epoch " + std::to_string(state.epoch) + " and the plan has "
                             + std::to_string(plan_.epochs) + " epochs of "
                             + std::to_string(samples_.from->size())
                             + " samples: use the same data, and as many epochs or more."};
  TROUPE_TRY(device().put(network_.parameters(), state.parameters));
  TROUPE_TRY(device().put(optimiser_arrays(), state.optimiser));
  network_.set_statistics(state.statistics);
  input_.reset();
  state_ = std::move(state);
  state_.parameters = {};
  state_.optimiser = {};
  state_.statistics = {};
  return {};
}

void trainer::leave() {
  input_.reset();
  exchange_.reset();
  gang_ = nullptr;
}

result<void> trainer::join(const gang_groups& gang) {
  auto made = gradient_exchange::make(gang, device(), head_count + parameter_count());
  if (!made)
    return made.error();
  exchange_ = *std::move(made);
  gang_ = gang.ranks;
  input_.reset();
  leave_asked_ = leave_agreed_ = save_agreed_ = false;
  return {};
}

result<void> trainer::synchronise() {
  if (!gang_)
    return {};
  auto own_state = state();
  if (!own_state)
    return own_state.error();
  auto newest = *std::move(own_state);
  constexpr size_t fields = 6;
  std::array<int64_t, fields> own{
    static_cast<int64_t>(newest.step),         static_cast<int64_t>(newest.updates),
    static_cast<int64_t>(newest.epoch),        static_cast<int64_t>(newest.consumed),
    std::bit_cast<int32_t>(newest.loss_scale), static_cast<int64_t>(newest.good_steps)};
  std::vector<int64_t> all(fields * world_size());
  TROUPE_TRY(gang_->allgather(own, all));
  uint32_t from = 0;
  for (uint32_t r = 1; r < world_size(); ++r)
    if (all[r * fields] > all[from * fields])
      from = r;
  for (auto* each : {&newest.parameters, &newest.optimiser, &newest.statistics})
    if (!each->empty())
      TROUPE_TRY(gang_->broadcast(*each, from));
  // None goes on before all have it: whoever is lost now can be done without.
  TROUPE_TRY(gang_->barrier());
  auto field = [&](size_t i) { return static_cast<uint64_t>(all[from * fields + i]); };
  newest.step = field(0);
  newest.updates = field(1);
  newest.epoch = field(2);
  newest.consumed = field(3);
  newest.loss_scale = std::bit_cast<float>(static_cast<int32_t>(all[from * fields + 4]));
  newest.good_steps = field(5);
  return restore(std::move(newest));
}

// The samples of the epoch that come next, in as even parts as can be.
trainer::share trainer::share_at(uint64_t consumed) const {
  auto most = size_t{plan_.batch} * plan_.accumulate * world_size();
  share out;
  out.together = std::min<size_t>(most, samples_.from->size() - consumed);
  out.first = consumed + out.together * rank() / world_size();
  out.last = consumed + out.together * (rank() + 1) / world_size();
  return out;
}

result<std::unique_ptr<pipeline>> trainer::read_ahead(const sample_set& from,
                                                      std::vector<uint32_t> order) const {
  return pipeline::make(*from.from, std::move(order),
                        {.inputs = from.inputs,
                         .targets = from.targets,
                         .batch = plan_.batch,
                         .workers = from.workers,
                         .map = from.map});
}

// This rank's shares of all steps that the epoch still has: each but the last fills its batches.
result<void> trainer::open_input() {
  input_epoch_ = epoch();
  auto order = epoch_order(static_cast<uint32_t>(samples_.from->size()), plan_.seed, input_epoch_);
  std::vector<uint32_t> mine;
  for (auto consumed = state_.consumed; consumed < order.size();) {
    auto each = share_at(consumed);
    mine.insert(mine.end(), order.begin() + static_cast<std::ptrdiff_t>(each.first),
                order.begin() + static_cast<std::ptrdiff_t>(each.last));
    consumed += each.together;
  }
  auto made = read_ahead(samples_, std::move(mine));
  if (!made)
    return made.error();
  input_ = *std::move(made);
  return {};
}

// The gradients of this rank's share are then in the exchanged row; its loss.
result<float> trainer::learn(const share& mine) {
  if (mine.first == mine.last)
    TROUPE_TRY(device().put(gradients(), std::vector<float>(parameter_count())));
  float loss = 0;
  for (auto at = mine.first; at < mine.last;) {
    auto next = input_->next();
    if (!next)
      return next.error();
    TROUPE_ASSERT(*next); // the order has them
    auto sum = learn_batch(**next, at, mine);
    if (!sum)
      return sum.error();
    loss += *sum;
    at += (*next)->valid;
  }
  return loss;
}

// Gradients that are final are exchanged while the earlier ones are computed.
result<float> trainer::learn_batch(const batch& in, size_t at, const share& mine) {
  auto scale
    = (state_.loss_scale > 0 ? state_.loss_scale : 1.0F) / static_cast<float>(mine.together);
  auto seed = plan_.seed ^ (state_.step << 20 ^ at);
  auto is_first = at == mine.first;
  auto is_last = at + in.valid == mine.last;
  auto into = is_first ? gradients() : micro_->row<float>();
  auto end = into.size();
  auto progress = [&](size_t from) -> result<void> {
    if (!is_first)
      TROUPE_TRY(
        device().add(into.subspan(from, end - from), gradients().subspan(from, end - from)));
    end = from;
    return is_last ? exchange_->ready(head_count + from) : result<void>{};
  };
  return network_.learn({in.inputs, in.targets, in.valid}, scale, seed, into, progress);
}

result<float> trainer::advance() {
  TROUPE_ASSERT(!done());
  if (!input_ || input_epoch_ != epoch())
    TROUPE_TRY(open_input());
  auto mine = share_at(state_.consumed);
  std::vector<float> statistics(network_.statistics_count());
  network_.copy_statistics(statistics);
  auto undo = [&](const error& why) {
    exchange_->abandon();
    network_.set_statistics(statistics);
    input_.reset(); // it has given what the step will take again
    return why;
  };
  auto loss = learn(mine);
  if (!loss)
    return undo(loss.error());
  std::array<float, head_count> numbers{};
  numbers[loss_sum] = *loss;
  numbers[leaving] = leave_asked_ ? 1 : 0;
  numbers[saving] = save_asked_ ? 1 : 0;
  if (auto exchanged = exchange(numbers); !exchanged)
    return undo(exchanged.error());
  if (auto updated = update(); !updated)
    return undo(updated.error());
  leave_agreed_ = numbers[leaving] > 0;
  save_agreed_ = numbers[saving] > 0;
  save_asked_ = false;
  auto mean = numbers[loss_sum] / static_cast<float>(mine.together);
  consume(mine.together);
  return mean;
}

// The gradients and these numbers become the sums of all ranks.
result<void> trainer::exchange(std::span<float> numbers) {
  if (!gang_)
    return exchange_->finish();
  auto there = exchange_->row().first(numbers.size());
  TROUPE_TRY(device().put(there, numbers));
  TROUPE_TRY(exchange_->finish());
  return device().get(numbers, there);
}

// With the sums of all ranks: the same on each. Under a loss scale that was too large nothing is
// changed but the scale.
result<void> trainer::update() {
  auto scaled = state_.loss_scale > 0;
  auto scale = scaled ? 1 / state_.loss_scale : 1.0F;
  if (scaled || plan_.clip_norm > 0) {
    auto squares = device().sum_of_squares(gradients());
    TROUPE_TRY(squares);
    if (scaled && !std::isfinite(*squares)) {
      state_.loss_scale = std::max(state_.loss_scale / 2, scale_least);
      state_.good_steps = 0;
      return {};
    }
    auto norm = static_cast<float>(std::sqrt(*squares)) * scale;
    if (plan_.clip_norm > 0 && norm > plan_.clip_norm)
      scale *= plan_.clip_norm / norm;
  }
  auto begin = epochs_done() / plan_.epochs;
  auto end = begin
             + static_cast<double>(share_at(state_.consumed).together)
                 / (static_cast<double>(samples_.from->size()) * plan_.epochs);
  auto rate = plan_.optimiser.learning_rate * factor_at(plan_.rate, begin, end);
  auto arrays = state_arrays(plan_.optimiser);
  auto array = [&](size_t i) {
    return i < arrays ? optimiser_arrays().subspan(i * parameter_count(), parameter_count())
                      : std::span<float>();
  };
  backend_->update(plan_.optimiser, {++state_.updates, rate, scale}, gradients(), array(0),
                   array(1), network_.parameters());
  if (scaled && ++state_.good_steps >= steps_per_growth) {
    state_.loss_scale = std::min(state_.loss_scale * 2, scale_most);
    state_.good_steps = 0;
  }
  return {};
}

void trainer::consume(size_t samples) {
  ++state_.step;
  state_.consumed += samples;
  if (state_.consumed == samples_.from->size()) {
    ++state_.epoch;
    state_.consumed = 0;
  }
}

result<double> trainer::accuracy(const sample_set& samples) {
  TROUPE_TRY(check(samples, network_));
  if (gang_ && network_.statistics_count() != 0) { // one model is judged: that which is saved
    std::vector<float> of_first(network_.statistics_count());
    network_.copy_statistics(of_first);
    TROUPE_TRY(gang_->broadcast(of_first, 0));
    network_.set_statistics(of_first);
  }
  auto size = samples.from->size();
  std::vector<uint32_t> mine;
  for (auto i = size * rank() / world_size(); i < size * (rank() + 1) / world_size(); ++i)
    mine.push_back(static_cast<uint32_t>(i));
  auto input = read_ahead(samples, std::move(mine));
  if (!input)
    return input.error();
  int64_t correct = 0;
  for (;;) {
    auto next = (*input)->next();
    if (!next)
      return next.error();
    if (!*next)
      break;
    auto right = count_right(**next);
    if (!right)
      return right.error();
    correct += *right;
  }
  std::array<int64_t, 1> total{correct};
  if (gang_)
    TROUPE_TRY(gang_->allreduce(total, collective::reduction::sum));
  return static_cast<double>(total[0]) / static_cast<double>(size);
}

// Samples whose likeliest class is that of their target.
result<int64_t> trainer::count_right(const batch& in) {
  auto outputs = network_.infer(in.inputs);
  if (!outputs)
    return outputs.error();
  auto classes = network_.output_row();
  int64_t right = 0;
  for (size_t i = 0; i < in.valid; ++i) {
    auto row = outputs->subspan(i * classes, classes);
    auto likeliest = std::max_element(row.begin(), row.end()) - row.begin();
    right += static_cast<float>(likeliest) == in.targets[i] ? 1 : 0;
  }
  return right;
}

} // namespace troupe::training
