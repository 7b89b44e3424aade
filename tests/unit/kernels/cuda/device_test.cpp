// The kernels that no operator's parity test reaches, against plain loops.
#include "runtime/base/random.hpp"
#include "tests/support/gpu.hpp"

#include <cmath>
#include <limits>
#include <thread>

namespace troupe::cuda {
namespace {

using collective::bfloat16;
using collective::float16;

class Device : public testing::Test {
protected:
  void SetUp() override {
    TROUPE_NEEDS_GPUS(1, "kernels of a GPU");
    plugin_ = test::open_gpus();
    ASSERT_TRUE(plugin_);
    auto opened = plugin_->open_device(0);
    ASSERT_TRUE(opened) << opened.error().text;
    device_ = std::move(*opened);
  }

  template <class T>
  std::unique_ptr<memory> upload(const std::vector<T>& values) {
    auto made = device_->allocate(values.size() * sizeof(T));
    EXPECT_TRUE(made) << made.error().text;
    EXPECT_TRUE(device_->put((*made)->bytes().data(), values.data(), values.size() * sizeof(T)));
    EXPECT_TRUE(device_->synchronise()); // other streams may read it
    return std::move(*made);
  }

  template <class T>
  std::vector<T> download(memory& from) {
    std::vector<T> out(from.row<T>().size());
    EXPECT_TRUE(device_->get(out.data(), from.bytes().data(), out.size() * sizeof(T)));
    return out;
  }

  std::unique_ptr<plugin> plugin_;
  std::unique_ptr<device> device_;
};

std::vector<float> noise(size_t size, uint64_t seed) {
  random_source random{seed};
  std::vector<float> values(size);
  for (auto& x : values)
    x = static_cast<float>((random.real() - 0.5)
                           * std::exp2(static_cast<double>(random.below(60)) - 30));
  return values;
}

constexpr size_t sizes[] = {0, 1, 31, 257, 1'000'003};

TEST_F(Device, MemoryIsZeroedAndCopiedBothWays) {
  auto made = device_->allocate(1000);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(download<uint8_t>(**made), std::vector<uint8_t>(1000));
  auto values = noise(1001, 1);
  EXPECT_EQ(download<float>(*upload(values)), values);
}

TEST_F(Device, AddsAndSumsSquares) {
  for (auto size : sizes) {
    auto x = noise(size, 1), y = noise(size, 2);
    auto x_there = upload(x), y_there = upload(y);
    ASSERT_TRUE(device_->add(x_there->row<float>(), y_there->row<float>()));
    for (size_t i = 0; i < size; ++i)
      y[i] += x[i];
    EXPECT_EQ(download<float>(*y_there), y) << size;
    auto there = device_->sum_of_squares(x_there->row<float>());
    auto here = kernels::processor().sum_of_squares(x);
    ASSERT_TRUE(there) << there.error().text;
    EXPECT_NEAR(*there, *here, 1e-9 * *here) << size;
  }
  std::vector<float> broken(1000, 1.0F);
  broken[777] = std::numeric_limits<float>::infinity();
  auto sum = device_->sum_of_squares(upload(broken)->row<float>());
  ASSERT_TRUE(sum);
  EXPECT_FALSE(std::isfinite(*sum));
}

// What a mark is waited for has been written, and another stream of the device reads it.
TEST_F(Device, AnotherStreamReadsWhatHasBeenMarked) {
  auto beside = device_->beside();
  ASSERT_TRUE(beside) << beside.error().text;
  std::vector<float> ones(1'000'003, 1.0F);
  auto x = upload(ones), y = upload(ones);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(device_->add(x->row<float>(), y->row<float>()));
  auto mark = device_->mark();
  ASSERT_TRUE(mark) << mark.error().text;
  std::vector<float> got(ones.size());
  std::thread other([&] {
    ASSERT_TRUE((*mark)->wait());
    ASSERT_TRUE((*beside)->get(std::span(got), y->row<float>()));
  });
  other.join();
  EXPECT_EQ(got, std::vector<float>(ones.size(), 101.0F));
}

// The same bits as on the CPU, also of numbers too small or too large for the type.
TEST_F(Device, RoundsAsTheCpuDoes) {
  for (auto size : sizes) {
    auto wide = noise(size, 3);
    if (size > 30) {
      wide[0] = 65520.0F;
      wide[1] = 0x1p-25F;
      wide[2] = std::numeric_limits<float>::infinity();
      wide[3] = 1.0F + 0x3p-8F;
    }
    auto there = upload(wide);
    auto brains = upload(std::vector<bfloat16>(size));
    auto halves = upload(std::vector<float16>(size));
    ASSERT_TRUE(device_->cast(there->row<float>(), brains->row<bfloat16>()));
    ASSERT_TRUE(device_->cast(there->row<float>(), halves->row<float16>()));
    std::vector<bfloat16> expected_brains;
    std::vector<float16> expected_halves;
    std::vector<float> back;
    for (auto x : wide) {
      expected_brains.push_back(collective::to_bfloat16(x));
      expected_halves.push_back(collective::to_float16(x));
      back.push_back(collective::to_float(expected_halves.back()));
    }
    EXPECT_EQ(download<bfloat16>(*brains), expected_brains) << size;
    EXPECT_EQ(download<float16>(*halves), expected_halves) << size;
    ASSERT_TRUE(device_->cast(halves->row<float16>(), there->row<float>()));
    EXPECT_EQ(download<float>(*there), back) << size;
  }
}

TEST_F(Device, TooMuchMemoryIsRefused) {
  auto made = device_->allocate(size_t{1} << 50);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, errc::unavailable) << made.error().text;
}

// A row of the process is refused, and the group goes on; a row of the device is not.
TEST_F(Device, AGroupOverNcclTakesRowsOfItsDevice) {
  collective::group_options options;
  auto over = collective::join_shm(options, "troupe_cuda_device_test");
  ASSERT_TRUE(over);
  auto joined = plugin_->join_nccl(options, **over, {});
  ASSERT_TRUE(joined) << joined.error().text;
  std::vector<float> here(10, 1.0F);
  auto refused = (*joined)->allreduce(here, collective::reduction::sum);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::invalid);
  auto memory = (*joined)->allocate(40);
  ASSERT_TRUE(memory) << memory.error().text;
  EXPECT_EQ(download<float>(**memory), std::vector<float>(10));
  auto there = upload(here);
  auto done = (*joined)->allreduce(there->row<float>(), (*memory)->row<float>(),
                                   collective::reduction::mean);
  EXPECT_TRUE(done) << done.error().text;
  EXPECT_EQ(download<float>(**memory), here);
}

// NCCL 2.28 takes one rank a device.
TEST_F(Device, TwoRanksOfOneDeviceAreRefusedByName) {
  collective::group_options options;
  options.size = 2;
  options.secret = "a secret of the test";
  std::string texts[2];
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < 2; ++r)
    threads.emplace_back([&, r] {
      auto mine = options;
      mine.rank = r;
      auto over = collective::join_shm(mine, "troupe_cuda_device_test_2");
      ASSERT_TRUE(over) << over.error().text;
      auto joined = plugin_->join_nccl(mine, **over, {});
      ASSERT_FALSE(joined);
      EXPECT_EQ(joined.error().code, errc::invalid);
      texts[r] = joined.error().text;
      EXPECT_TRUE((*over)->barrier());
    });
  for (auto& each : threads)
    each.join();
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_NE(texts[0].find("ranks 0 and 1"), std::string::npos) << texts[0];
}

} // namespace
} // namespace troupe::cuda
