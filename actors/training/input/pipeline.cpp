#include "actors/training/input/pipeline.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace troupe::training {

namespace {

constexpr size_t workers_max = 1024;

// A place for a batch. Whose it is: a worker's from when it takes the number of the batch until it
// is `filled`, the consumer's from then until it asks for the next one.
struct place {
  std::vector<float> inputs;
  std::vector<float> targets;
  size_t valid = 0;
  error failure; // ok: none
  bool filled = false;
};

// What is read of a sample.
struct row_plan {
  size_t inputs = 0; // the places of the fields
  std::optional<size_t> targets;
  size_t input_values = 0;
  size_t target_values = 0;
};

result<row_plan> plan_rows(const dataset& samples, const pipeline_options& options) {
  row_plan plan;
  auto inputs = find_field(samples, options.inputs);
  if (!inputs)
    return inputs.error();
  plan.inputs = *inputs;
  plan.input_values = samples.fields()[*inputs].values();
  if (options.targets.empty())
    return plan;
  auto targets = find_field(samples, options.targets);
  if (!targets)
    return targets.error();
  if (*targets == *inputs)
    return {errc::invalid,
            "The inputs and the targets are one field: name two of the dataset's fields."};
  plan.targets = *targets;
  plan.target_values = samples.fields()[*targets].values();
  return plan;
}

class threaded_pipeline : public pipeline {
public:
  threaded_pipeline(const dataset& samples, std::vector<uint32_t> order, pipeline_options options,
                    row_plan plan)
    : samples_(samples), order_(std::move(order)), options_(std::move(options)), plan_(plan),
      batches_((order_.size() + options_.batch - 1) / options_.batch),
      places_(std::min(options_.depth + 1, batches_)) {
    for (auto& each : places_) {
      each.inputs.resize(options_.batch * plan_.input_values);
      each.targets.resize(options_.batch * plan_.target_values);
    }
  }

  ~threaded_pipeline() override {
    {
      std::lock_guard lock{mutex_};
      stopped_ = true;
    }
    room_.notify_all();
    for (auto& each : workers_)
      each.join();
  }

  // False: the system gives no thread, not even one.
  bool start() {
    for (size_t i = 0; i < std::min(options_.workers, batches_); ++i)
      try {
        workers_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        break;
      }
    return batches_ == 0 || !workers_.empty();
  }

  result<std::optional<batch>> next() override {
    std::unique_lock lock{mutex_};
    if (given_ == batches_)
      return std::optional<batch>();
    // The batch that was given before is not used any more.
    released_ = given_;
    if (idle_ > 0)
      room_.notify_one();
    auto& from = places_[given_ % places_.size()];
    filled_.wait(lock, [&] { return from.filled; });
    from.filled = false;
    ++given_;
    if (from.failure.code == errc::ok)
      return std::optional(batch{from.inputs, from.targets, from.valid});
    batches_ = given_;
    stopped_ = true;
    room_.notify_all();
    return std::exchange(from.failure, {});
  }

private:
  // Fills batches in the order of their numbers, each with one worker, while there is a place.
  void work() {
    std::vector<std::byte> scratch;
    std::vector<std::span<float>> row(samples_.fields().size());
    std::unique_lock lock{mutex_};
    for (;;) {
      ++idle_;
      room_.wait(lock, [&] {
        return stopped_ || taken_ == batches_ || taken_ < released_ + places_.size();
      });
      --idle_;
      if (stopped_ || taken_ == batches_)
        return;
      auto number = taken_++;
      auto& into = places_[number % places_.size()];
      lock.unlock();
      auto done = fill(into, number, row, scratch);
      lock.lock();
      if (!done)
        into.failure = done.error();
      into.filled = true;
      if (number == given_)
        filled_.notify_one();
    }
  }

  result<void> fill(place& into, size_t number, std::vector<std::span<float>>& row,
                    std::vector<std::byte>& scratch) const {
    auto first = number * options_.batch;
    into.valid = std::min(options_.batch, order_.size() - first);
    for (size_t i = 0; i < into.valid && !stopped_; ++i) {
      auto sample = order_[first + i];
      auto inputs = std::span(into.inputs).subspan(i * plan_.input_values, plan_.input_values);
      row[plan_.inputs] = inputs;
      if (plan_.targets)
        row[*plan_.targets]
          = std::span(into.targets).subspan(i * plan_.target_values, plan_.target_values);
      TROUPE_TRY(samples_.read(sample, row, scratch));
      if (options_.map)
        options_.map(sample, inputs);
    }
    repeat(into.inputs, into.valid * plan_.input_values);
    repeat(into.targets, into.valid * plan_.target_values);
    return {};
  }

  static void repeat(std::vector<float>& rows, size_t valid) {
    for (auto at = valid; at < rows.size(); ++at)
      rows[at] = rows[at - valid];
  }

  const dataset& samples_;
  const std::vector<uint32_t> order_;
  const pipeline_options options_;
  const row_plan plan_;

  std::mutex mutex_; // over what follows, but for places that somebody has
  std::condition_variable room_;
  std::condition_variable filled_;
  size_t batches_;
  size_t taken_ = 0;    // batches that workers have begun
  size_t given_ = 0;    // batches that next() has given
  size_t released_ = 0; // batches whose place is free again
  size_t idle_ = 0;     // workers that wait for room
  std::atomic<bool> stopped_ = false;
  std::vector<place> places_;
  std::vector<std::thread> workers_;
};

result<void> check(const dataset& samples, const std::vector<uint32_t>& order,
                   const pipeline_options& options, const row_plan& plan) {
  if (options.batch == 0 || options.depth == 0 || options.workers == 0
      || options.workers > workers_max)
    return {errc::invalid, "A pipeline needs a batch and a depth above 0, and 1 to 1024 workers: "
                           "give such numbers."};
  for (auto each : order)
    if (each >= samples.size())
      return {errc::invalid, "The order names sample " + std::to_string(each) + " of "
                               + std::to_string(samples.size()) + ": make it for this dataset."};
  auto room = pipeline::memory_max / sizeof(float);
  auto values = std::max<uint64_t>(1, plan.input_values + plan.target_values);
  if (options.depth >= room || options.batch > room / values / (options.depth + 1))
    return {errc::invalid, "The pipeline would need more than 4 GiB for what it reads ahead: give "
                           "it a smaller batch or depth."};
  return {};
}

} // namespace

sample_map scale(float factor, float offset) {
  return [factor, offset](uint32_t, std::span<float> inputs) {
    for (auto& x : inputs)
      x = x * factor + offset;
  };
}

result<std::unique_ptr<pipeline>>
pipeline::make(const dataset& samples, std::vector<uint32_t> order, pipeline_options options) {
  auto plan = plan_rows(samples, options);
  if (!plan)
    return plan.error();
  TROUPE_TRY(check(samples, order, options, *plan));
  auto made
    = std::make_unique<threaded_pipeline>(samples, std::move(order), std::move(options), *plan);
  if (!made->start())
    return {errc::unavailable, "The input has no thread to run on, the system gives none: raise "
                               "the limit of processes."};
  return std::unique_ptr<pipeline>(std::move(made));
}

} // namespace troupe::training
