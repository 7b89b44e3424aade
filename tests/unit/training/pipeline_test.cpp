// The pipeline: the same batches whatever the number of workers, a bound on what it reads ahead,
// errors in their place, and an end at any time.
#include "actors/training/epoch_order.hpp"
#include "actors/training/input/pipeline.hpp"
#include "runtime/base/random.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <numeric>

namespace troupe::training {
namespace {

// Sample n is (n, n + 1/2, n + 1/4), its target n % 7. It counts what is read, and can hold its
// readers back.
class counting_dataset : public dataset {
public:
  explicit counting_dataset(size_t size) : size_(size) {}

  size_t size() const override { return size_; }
  std::span<const field> fields() const override { return fields_; }

  result<void> read(uint32_t index, std::span<const std::span<float>> into,
                    std::vector<std::byte>&) const override {
    if (index == broken_)
      return {errc::corrupt, "sample " + std::to_string(index) + " is broken"};
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return reads_ < allowed_; });
    ++reads_;
    changed_.notify_all();
    auto n = static_cast<float>(index);
    EXPECT_EQ(into.size(), 3u);
    EXPECT_TRUE(into[1].empty());
    EXPECT_EQ(into[0].size(), 3u);
    into[0][0] = n;
    into[0][1] = n + 0.5F;
    into[0][2] = n + 0.25F;
    if (!into[2].empty())
      into[2][0] = static_cast<float>(index % 7);
    return {};
  }

  void allow(size_t reads) {
    std::lock_guard lock{mutex_};
    allowed_ = reads;
    changed_.notify_all();
  }

  void wait_for_reads(size_t wanted) const {
    std::unique_lock lock{mutex_};
    ASSERT_TRUE(
      changed_.wait_for(lock, std::chrono::seconds{30}, [&] { return reads_ >= wanted; }));
  }

  size_t reads() const {
    std::lock_guard lock{mutex_};
    return reads_;
  }

  uint32_t broken_ = uint32_t(-1);

private:
  size_t size_;
  std::vector<field> fields_{{"x", element_type::f32, {3}},
                             {"unused", element_type::f32, {1000}},
                             {"y", element_type::i64, {}}};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable size_t reads_ = 0;
  size_t allowed_ = std::numeric_limits<size_t>::max();
};

std::vector<uint32_t> in_order(uint32_t count) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

pipeline_options options_of(size_t batch, size_t depth, size_t workers) {
  return {.inputs = "x", .targets = "y", .batch = batch, .depth = depth, .workers = workers};
}

std::unique_ptr<pipeline> start(const dataset& samples, std::vector<uint32_t> order,
                                pipeline_options options) {
  auto made = pipeline::make(samples, std::move(order), std::move(options));
  EXPECT_TRUE(made) << made.error().text;
  return made ? *std::move(made) : nullptr;
}

// All that comes out: inputs, targets, and the valid rows of each batch.
struct outcome {
  std::vector<float> inputs;
  std::vector<float> targets;
  std::vector<size_t> valid;
  std::string failure;

  bool operator==(const outcome&) const = default;
};

outcome drain(pipeline& from) {
  outcome all;
  for (;;) {
    auto next = from.next();
    if (!next) {
      all.failure += next.error().text + ";";
      continue;
    }
    if (!*next)
      return all;
    all.inputs.insert(all.inputs.end(), (*next)->inputs.begin(), (*next)->inputs.end());
    all.targets.insert(all.targets.end(), (*next)->targets.begin(), (*next)->targets.end());
    all.valid.push_back((*next)->valid);
  }
}

TEST(Pipeline, GivesTheBatchesInTheOrderThatIsGiven) {
  counting_dataset samples{10};
  auto input = start(samples, {4, 0, 9, 9, 1}, options_of(2, 3, 1));
  auto all = drain(*input);
  // The last batch is short: its second row repeats the first.
  EXPECT_EQ(all.inputs, (std::vector<float>{4, 4.5F, 4.25F, 0, 0.5F, 0.25F, 9, 9.5F, 9.25F, 9, 9.5F,
                                            9.25F, 1, 1.5F, 1.25F, 1, 1.5F, 1.25F}));
  EXPECT_EQ(all.targets, (std::vector<float>{4, 0, 2, 2, 1, 1}));
  EXPECT_EQ(all.valid, (std::vector<size_t>{2, 2, 1}));
  EXPECT_EQ(samples.reads(), 5u);
}

TEST(Pipeline, RowsBehindTheLastSampleRepeatTheBatch) {
  counting_dataset samples{10};
  auto input = start(samples, {1, 2, 3}, options_of(8, 1, 1));
  EXPECT_EQ(drain(*input).targets, (std::vector<float>{1, 2, 3, 1, 2, 3, 1, 2}));
}

TEST(Pipeline, NeitherWorkersNorDepthChangeABit) {
  counting_dataset samples{1003};
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    auto order = epoch_order(1003, seed, 0);
    // What is random in it comes of seed and sample.
    auto noise = [seed](uint32_t sample, std::span<float> inputs) {
      random_source random{seed * 1000 + sample};
      for (auto& x : inputs)
        x = x * 0.1F + static_cast<float>(random.real());
    };
    outcome first;
    for (size_t workers : {1U, 2U, 4U})
      for (size_t depth : {1U, 2U, 9U}) {
        auto options = options_of(16, depth, workers);
        options.map = noise;
        auto all = drain(*start(samples, order, options));
        EXPECT_EQ(all.valid.size(), 63u);
        if (first.valid.empty())
          first = all;
        EXPECT_TRUE(all == first) << workers << " workers, depth " << depth;
      }
  }
}

TEST(Pipeline, MapsInputsAndLeavesTargets) {
  counting_dataset samples{10};
  auto options = options_of(2, 2, 2);
  options.map = scale(2, -1);
  auto all = drain(*start(samples, {3, 5}, options));
  EXPECT_EQ(all.inputs, (std::vector<float>{5, 6, 5.5F, 9, 10, 9.5F}));
  EXPECT_EQ(all.targets, (std::vector<float>{3, 5}));
}

TEST(Pipeline, TargetsMayBeLeftOut) {
  counting_dataset samples{10};
  auto options = options_of(2, 2, 1);
  options.targets.clear();
  auto all = drain(*start(samples, {3, 5}, options));
  EXPECT_TRUE(all.targets.empty());
  EXPECT_EQ(all.inputs.size(), 6u);
}

TEST(Pipeline, AnEmptyOrderHasNoBatch) {
  counting_dataset samples{10};
  EXPECT_TRUE(drain(*start(samples, {}, options_of(2, 2, 2))) == outcome{});
}

// At most `depth` batches beyond the one that was given last, and exactly as many in the end.
TEST(Pipeline, ReadsNoFurtherAheadThanItsDepth) {
  constexpr size_t batch = 4;
  constexpr size_t depth = 3;
  for (size_t workers : {1U, 2U, 4U}) {
    counting_dataset samples{400};
    auto input = start(samples, in_order(400), options_of(batch, depth, workers));
    for (size_t given = 1; given <= 20; ++given) {
      ASSERT_TRUE(input->next());
      // Were it to read further, it would not wait for the next call of next().
      samples.wait_for_reads((given + depth) * batch);
      EXPECT_EQ(samples.reads(), (given + depth) * batch);
    }
    input.reset();
    EXPECT_EQ(samples.reads(), (20 + depth) * batch);
  }
}

TEST(Pipeline, APlaceIsNotFilledAgainWhileItsBatchIsUsed) {
  counting_dataset samples{1000};
  auto input = start(samples, in_order(1000), options_of(10, 2, 4));
  for (size_t given = 0; given < 100; ++given) {
    auto next = input->next();
    ASSERT_TRUE(next && *next);
    samples.wait_for_reads(std::min<size_t>(1000, (given + 3) * 10));
    for (size_t i = 0; i < 10; ++i)
      ASSERT_EQ((*next)->inputs[3 * i], static_cast<float>(given * 10 + i));
  }
}

TEST(Pipeline, AnErrorComesOnceInItsPlace) {
  for (size_t workers : {1U, 2U, 4U}) {
    counting_dataset samples{100};
    samples.broken_ = 37;
    auto all = drain(*start(samples, in_order(100), options_of(5, 4, workers)));
    EXPECT_EQ(all.failure, "sample 37 is broken;");
    EXPECT_EQ(all.valid.size(), 7u); // the batches before that of sample 37
    EXPECT_EQ(all.targets[34], 34 % 7);
  }
}

TEST(Pipeline, OfTwoErrorsTheFirstInTheOrderComes) {
  counting_dataset samples{100};
  samples.broken_ = 8;
  auto all = drain(*start(samples, {1, 2, 3, 8, 8, 8, 8, 8}, options_of(2, 4, 4)));
  EXPECT_EQ(all.failure, "sample 8 is broken;");
  EXPECT_EQ(all.valid.size(), 1u);
}

TEST(Pipeline, EndsAtTheSamplesThatItsWorkersAreAt) {
  for (size_t workers : {1U, 2U, 4U}) {
    counting_dataset samples{1000};
    samples.broken_ = 0;
    samples.allow(10);
    auto input = start(samples, in_order(1000), options_of(100, 8, workers));
    samples.wait_for_reads(10);
    EXPECT_FALSE(input->next()); // from here on nothing is wanted
    samples.allow(std::numeric_limits<size_t>::max());
    input.reset();
    EXPECT_LE(samples.reads(), 10 + workers);
  }
}

TEST(Pipeline, EndsWhileNobodyReads) {
  counting_dataset samples{100};
  auto input = start(samples, in_order(100), options_of(5, 2, 4));
  ASSERT_TRUE(input->next());
  samples.wait_for_reads(15);
  input.reset();
  EXPECT_EQ(samples.reads(), 15u);
}

TEST(Pipeline, RefusesWhatMakesNoSense) {
  counting_dataset samples{10};
  auto refused = [&](std::vector<uint32_t> order, pipeline_options options, errc code) {
    auto made = pipeline::make(samples, std::move(order), std::move(options));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, code) << made.error().text;
  };
  refused({1}, options_of(0, 1, 1), errc::invalid);
  refused({1}, options_of(1, 0, 1), errc::invalid);
  refused({1}, options_of(1, 1, 0), errc::invalid);
  refused({1}, options_of(1, 1, 1025), errc::invalid);
  refused({10}, options_of(1, 1, 1), errc::invalid);
  refused({1}, options_of(size_t{1} << 30, 1, 1), errc::invalid);
  refused({1}, options_of(1, size_t(-1), 1), errc::invalid);
  refused({1}, options_of(size_t{1} << 32, size_t{1} << 32, 1), errc::invalid);
  auto other = options_of(1, 1, 1);
  other.inputs = "z";
  refused({1}, other, errc::not_found);
  other.inputs = "y";
  refused({1}, other, errc::invalid);
}

} // namespace
} // namespace troupe::training
