// The buckets of an exchange: which are reduced, when, and what becomes of a failure.
#include "actors/training/gradient_exchange.hpp"
#include "actors/training/trainer.hpp"
#include "kernels/cpu/cpu.hpp"
#include "tests/support/allreduce_group.hpp"
#include "tests/support/deferred_device.hpp"
#include "tests/support/labelled_images.hpp"
#include "tests/support/shared_gang.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace troupe::training {
namespace {

constexpr size_t elements = 1'000'000;

// Doubles what it reduces, as a gang of two equal ranks does, and notes it.
class doubling_group final : public test::allreduce_group {
public:
  uint32_t rank() const override { return 0; }
  uint32_t size() const override { return 2; }

  result<void> allreduce(collective::input, collective::output data,
                         collective::reduction) override {
    auto row = std::span(reinterpret_cast<float*>(data.data), data.count);
    std::lock_guard lock(mutex_);
    if (lengths_.size() == fails_at)
      return {errc::aborted, "A rank has gone."};
    for (auto& x : row)
      x *= 2;
    lengths_.push_back(row.size());
    changed_.notify_all();
    return {};
  }

  std::vector<size_t> lengths() {
    std::lock_guard lock(mutex_);
    return lengths_;
  }

  // Returns when so many buckets have been reduced.
  void await(size_t buckets) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return lengths_.size() >= buckets; });
  }

  size_t fails_at = elements;

  result<std::unique_ptr<memory>> allocate(size_t bytes) override { return make_memory(bytes); }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> lengths_;
};

enum class place { processor, staged, on_device };

// Rows of the process; of a device, and reduced in the process; of a device, and reduced there.
class GradientExchange : public testing::TestWithParam<place> {
protected:
  std::unique_ptr<gradient_exchange> make() {
    gang_groups gang{.ranks = &gang_};
    if (GetParam() == place::on_device)
      gang.devices = devices_.get();
    return make(gang);
  }

  std::unique_ptr<gradient_exchange> make(const gang_groups& gang) {
    auto made = gradient_exchange::make(gang, device(), elements);
    TROUPE_ASSERT(made);
    return *std::move(made);
  }

  // Buckets: a small one and four others, or, between devices, one other.
  size_t all() const { return GetParam() == place::on_device ? 2 : 5; }
  size_t of_half() const { return GetParam() == place::on_device ? 1 : 2; } // of all elements
  size_t first_bucket() const { return GetParam() == place::on_device ? 262'144 : 65'536; }

  kernels::device& device() {
    return GetParam() == place::processor ? kernels::processor() : *other_;
  }

  void fill(gradient_exchange& exchange, size_t from, size_t to) {
    std::vector<float> values(to - from);
    std::iota(values.begin(), values.end(), static_cast<float>(from));
    ASSERT_TRUE(device().put(exchange.row().subspan(from, to - from), values));
  }

  void expect_times(float factor, gradient_exchange& exchange) {
    std::vector<float> values(elements);
    ASSERT_TRUE(device().get(values, exchange.row()));
    for (size_t i = 0; i < elements; ++i)
      ASSERT_EQ(values[i], factor * static_cast<float>(i)) << i;
  }

  doubling_group gang_;

private:
  std::unique_ptr<kernels::device> other_ = test::make_deferred_device();
  std::unique_ptr<collective::group> devices_ = test::make_deferred_group(gang_, *other_);
};

INSTANTIATE_TEST_SUITE_P(Where, GradientExchange,
                         testing::Values(place::processor, place::staged, place::on_device));

TEST_P(GradientExchange, ReducesBucketsFromTheEndWhileTheRestIsWritten) {
  auto exchange = make();
  for (int step = 1; step <= 3; ++step) {
    auto buckets = gang_.lengths().size();
    fill(*exchange, elements / 2, elements);
    ASSERT_TRUE(exchange->ready(elements / 2));
    gang_.await(buckets + of_half()); // before it is known that the others are final
    fill(*exchange, 0, elements / 2);
    ASSERT_TRUE(exchange->finish());
    expect_times(2, *exchange);
  }
  auto lengths = gang_.lengths();
  ASSERT_EQ(lengths.size(), 3 * all());
  for (size_t i = 0; i < all(); ++i)
    EXPECT_EQ(lengths[i], lengths[i + 2 * all()]);
  EXPECT_EQ(lengths[0], first_bucket());
}

TEST_P(GradientExchange, NeedsNoWordBeforeTheEnd) {
  auto exchange = make();
  fill(*exchange, 0, elements);
  ASSERT_TRUE(exchange->finish());
  expect_times(2, *exchange);
  EXPECT_EQ(gang_.lengths().size(), all());
}

TEST_P(GradientExchange, LeavesWhatIsAloneAsItIs) {
  auto exchange = make({});
  fill(*exchange, 0, elements);
  ASSERT_TRUE(exchange->ready(5));
  ASSERT_TRUE(exchange->finish());
  expect_times(1, *exchange);
}

TEST_P(GradientExchange, ReturnsTheFirstFailureAndBeginsNoOtherBucket) {
  gang_.fails_at = 1;
  auto exchange = make();
  fill(*exchange, 0, elements);
  ASSERT_TRUE(exchange->ready(1));
  auto done = exchange->finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::aborted);
  EXPECT_EQ(gang_.lengths().size(), 1u);
  gang_.fails_at = elements;
  ASSERT_TRUE(exchange->finish()); // a new step
  EXPECT_EQ(gang_.lengths().size(), 1 + all());
}

TEST_P(GradientExchange, AnAbandonedStepBeginsNoOtherBucket) {
  auto exchange = make();
  ASSERT_TRUE(exchange->ready(elements - first_bucket() - 5000));
  gang_.await(1);
  exchange->abandon();
  EXPECT_EQ(gang_.lengths().size(), 1u);
  fill(*exchange, 0, elements);
  ASSERT_TRUE(exchange->finish());
  expect_times(2, *exchange);
}

// A network whose gradients fill several buckets.
training_state train(collective::group* gang, const dataset& data, uint32_t batch,
                     uint32_t accumulate) {
  auto on = kernels::cpu::make_backend();
  training_plan plan{.epochs = 2, .batch = batch, .accumulate = accumulate};
  network net(on->where());
  net.add(on->dense({batch, 1, 10, 10}, {.features = 600, .relu = true}));
  net.add(on->dense(net.last(), {.features = 500, .relu = true}));
  net.add(on->dense(net.last(), {.features = 10}));
  TROUPE_ASSERT(net.finish(on->softmax_cross_entropy(net.last()), 1));
  auto made = trainer::make(*on, std::move(net),
                            {.from = &data, .inputs = "image", .targets = "label"}, plan);
  TROUPE_ASSERT(made);
  EXPECT_TRUE(made->join({gang}));
  while (!made->done()) {
    auto stepped = made->advance();
    EXPECT_TRUE(stepped);
    if (!stepped)
      break;
  }
  auto state = *made->state();
  made->leave();
  return state;
}

TEST(GradientExchangeOfAGang, WithSeveralBucketsTrainsAsOneRankDoes) {
  std::vector<uint8_t> pixels(48 * 100);
  std::vector<uint8_t> labels(48);
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<uint8_t>(i * i % 3);
  for (size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<uint8_t>(i % 10);
  auto data = labelled_images(10, 10, pixels, labels);
  auto alone = train(nullptr, *data, 16, 1);
  std::vector<training_state> states(2);
  test::in_a_gang(
    2, 1, [&](collective::group& gang) { states[gang.rank()] = train(&gang, *data, 4, 2); });
  EXPECT_EQ(states[0].parameters, states[1].parameters);
  ASSERT_EQ(states[0].parameters.size(), alone.parameters.size());
  for (size_t i = 0; i < alone.parameters.size(); ++i)
    ASSERT_NEAR(states[0].parameters[i], alone.parameters[i], 1e-3F) << i;
}

} // namespace
} // namespace troupe::training
