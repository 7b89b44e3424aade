// The buckets of an exchange: which are reduced, when, and what becomes of a failure.
#include "actors/training/gradient_exchange.hpp"
#include "actors/training/trainer.hpp"
#include "kernels/cpu/cpu.hpp"
#include "tests/support/labelled_images.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <thread>

namespace troupe::training {
namespace {

constexpr size_t elements = 1'000'000; // 4 MB: a small bucket and four others

// Doubles what it reduces, as a gang of two equal ranks does, and notes it.
class doubling_group final : public collective::group {
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

  result<std::unique_ptr<collective::memory>> allocate(size_t bytes) override {
    return collective::make_memory(bytes);
  }
  result<void> look() override { return {}; }
  void abort() override {}
  result<void> barrier() override { return {}; }

  result<void> reduce_scatter(collective::input, collective::output,
                              collective::reduction) override {
    return unused();
  }
  result<void> allgather(collective::input, collective::output) override { return unused(); }
  result<void> broadcast(collective::output, uint32_t) override { return unused(); }
  result<void> reduce(collective::input, collective::output, collective::reduction,
                      uint32_t) override {
    return unused();
  }
  result<void> gather(collective::input, collective::output, uint32_t) override { return unused(); }
  result<void> scatter(collective::input, collective::output, uint32_t) override {
    return unused();
  }
  result<void> all_to_all(collective::input, collective::output) override { return unused(); }
  result<void> send(collective::input, uint32_t) override { return unused(); }
  result<void> receive(collective::output, uint32_t) override { return unused(); }

private:
  static result<void> unused() { return {errc::internal, "An exchange does not call this."}; }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> lengths_;
};

std::unique_ptr<gradient_exchange> make(collective::group* gang) {
  auto made = gradient_exchange::make(gang, elements);
  TROUPE_ASSERT(made);
  return *std::move(made);
}

void fill(gradient_exchange& exchange, size_t from, size_t to) {
  for (auto i = from; i < to; ++i)
    exchange.row()[i] = static_cast<float>(i);
}

void expect_doubled(gradient_exchange& exchange) {
  for (size_t i = 0; i < elements; ++i)
    ASSERT_EQ(exchange.row()[i], 2 * static_cast<float>(i)) << i;
}

TEST(GradientExchange, ReducesBucketsFromTheEndWhileTheRestIsWritten) {
  doubling_group gang;
  auto exchange = make(&gang);
  for (int step = 1; step <= 3; ++step) {
    auto buckets = gang.lengths().size();
    fill(*exchange, elements / 2, elements);
    exchange->ready(elements / 2);
    gang.await(buckets + 2); // before it is known that the others are final
    fill(*exchange, 0, elements / 2);
    ASSERT_TRUE(exchange->finish());
    expect_doubled(*exchange);
  }
  auto lengths = gang.lengths();
  ASSERT_EQ(lengths.size(), 15u);
  for (size_t i = 0; i < 5; ++i)
    EXPECT_EQ(lengths[i], lengths[i + 10]);
  EXPECT_EQ(lengths[0], 65'536u);
  EXPECT_EQ(lengths[1], 262'144u);
}

TEST(GradientExchange, NeedsNoWordBeforeTheEnd) {
  doubling_group gang;
  auto exchange = make(&gang);
  fill(*exchange, 0, elements);
  ASSERT_TRUE(exchange->finish());
  expect_doubled(*exchange);
  EXPECT_EQ(gang.lengths().size(), 5u);
}

TEST(GradientExchange, LeavesWhatIsAloneAsItIs) {
  auto exchange = make(nullptr);
  fill(*exchange, 0, elements);
  exchange->ready(5);
  ASSERT_TRUE(exchange->finish());
  for (size_t i = 0; i < elements; ++i)
    ASSERT_EQ(exchange->row()[i], static_cast<float>(i));
}

TEST(GradientExchange, ReturnsTheFirstFailureAndBeginsNoOtherBucket) {
  doubling_group gang;
  gang.fails_at = 2;
  auto exchange = make(&gang);
  fill(*exchange, 0, elements);
  exchange->ready(1);
  auto done = exchange->finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::aborted);
  EXPECT_EQ(gang.lengths().size(), 2u);
  gang.fails_at = elements;
  ASSERT_TRUE(exchange->finish()); // a new step
  EXPECT_EQ(gang.lengths().size(), 7u);
}

TEST(GradientExchange, AnAbandonedStepBeginsNoOtherBucket) {
  doubling_group gang;
  auto exchange = make(&gang);
  exchange->ready(elements - 70'000);
  gang.await(1);
  exchange->abandon();
  EXPECT_EQ(gang.lengths().size(), 1u);
  fill(*exchange, 0, elements);
  ASSERT_TRUE(exchange->finish());
  expect_doubled(*exchange);
}

// A network whose gradients fill several buckets.
training_state train(collective::group* gang, const dataset& data, uint32_t batch,
                     uint32_t accumulate) {
  auto on = kernels::cpu::make_backend();
  training_plan plan{.epochs = 2, .batch = batch, .accumulate = accumulate};
  network net;
  net.add(on->dense({batch, 1, 10, 10}, {.features = 600, .relu = true}));
  net.add(on->dense(net.last(), {.features = 500, .relu = true}));
  net.add(on->dense(net.last(), {.features = 10}));
  TROUPE_ASSERT(net.finish(on->softmax_cross_entropy(net.last()), 1));
  auto made = trainer::make(*on, std::move(net),
                            {.from = &data, .inputs = "image", .targets = "label"}, plan);
  TROUPE_ASSERT(made);
  EXPECT_TRUE(made->join(gang));
  while (!made->done()) {
    auto stepped = made->advance();
    EXPECT_TRUE(stepped);
    if (!stepped)
      break;
  }
  auto state = made->state();
  made->leave();
  return state;
}

TEST(GradientExchange, AGangWithSeveralBucketsTrainsAsOneRankDoes) {
  std::vector<uint8_t> pixels(48 * 100);
  std::vector<uint8_t> labels(48);
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<uint8_t>(i * i % 3);
  for (size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<uint8_t>(i % 10);
  auto data = labelled_images(10, 10, pixels, labels);
  auto alone = train(nullptr, *data, 16, 1);
  std::vector<training_state> states(2);
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      collective::group_options options{.rank = rank, .size = 2, .secret = "of this test"};
      auto gang = collective::join_shm(options, "troupe_buckets_" + std::to_string(getpid()));
      ASSERT_TRUE(gang) << gang.error().text;
      states[rank] = train(gang->get(), *data, 4, 2);
    });
  for (auto& each : threads)
    each.join();
  EXPECT_EQ(states[0].parameters, states[1].parameters);
  ASSERT_EQ(states[0].parameters.size(), alone.parameters.size());
  for (size_t i = 0; i < alone.parameters.size(); ++i)
    ASSERT_NEAR(states[0].parameters[i], alone.parameters[i], 1e-3F) << i;
}

} // namespace
} // namespace troupe::training
